//! `token`: making, listing and revoking tokens.

use innkeeper_model::access::Role;
use serde_json::{Value, json};

use crate::args::{CreateToken, TokenVerb};
use crate::client::Client;
use crate::exit::Failure;
use crate::output::{Column, Output, fields, json_text, short_time, time};

const COLUMNS: [Column; 6] = [
    Column::new("ID", |token| json_text(&token["id"])),
    Column::new("TENANT", owner),
    Column::new("ROLE", |token| json_text(&token["role"])),
    Column::optional("LAST USED", |token| short_time(&token["lastUsedAt"])),
    Column::optional("EXPIRES", |token| short_time(&token["expiresAt"])),
    Column::new("NAME", |token| json_text(&token["name"])),
];

/// Does what the verb says.
///
/// # Errors
/// As [`Failure`] tells them apart.
pub(crate) async fn run(verb: TokenVerb, client: &Client, output: Output) -> Result<(), Failure> {
    match verb {
        TokenVerb::Create(create) => {
            let is_operators = create.role == Role::Operator;
            let token = client.post(&["tokens"], Some(&body(create))).await?;
            show_secret(&token, output)?;
            if !client.has_token() {
                eprintln!("{}", warning(is_operators));
            }
        }
        TokenVerb::List => {
            let mut answer = client.get(&["tokens"], &[]).await?;
            let tokens = match answer["items"].take() {
                Value::Array(tokens) => tokens,
                _ => Vec::new(),
            };
            output.list((tokens, false), &COLUMNS, "no tokens")?;
        }
        TokenVerb::Revoke { id } => {
            let answer = client.delete(&["tokens", &id.to_string()]).await?;
            output.done(&answer, |_| format!("{id} is revoked: it is good no longer"))?;
        }
        TokenVerb::Rotate { id } => {
            let token = client.post(&["tokens", &id.to_string(), "rotate"], None).await?;
            show_secret(&token, output)?;
        }
    }
    Ok(())
}

/// Shows a new secret; without anything around it to those who want no words.
fn show_secret(token: &Value, output: Output) -> anyhow::Result<()> {
    let is_quiet = output.is_quiet();
    output.answer(token, |token| if is_quiet { json_text(&token["secret"]) } else { describe(token) })
}

fn body(create: CreateToken) -> Value {
    let mut body = json!({"name": create.name, "role": create.role.as_str()});
    if let Some(expires_in) = create.expires_in {
        body["expiresIn"] = expires_in.into();
    }
    body
}

fn owner(token: &Value) -> String {
    token["tenant"].as_str().map_or_else(|| "(operator)".to_owned(), str::to_owned)
}

/// What a host becomes that took this request without a token.
fn warning(is_operators: bool) -> &'static str {
    if is_operators {
        "from now on this host wants a token of everybody: use this one (INNKEEPER_TOKEN). If it is lost, start the host once \
         with INNKEEPER_TOKEN set to a new one, which is then the operator's"
    } else {
        "this host still takes requests without a token as its operator's: make a token with --role operator, or start it with \
         INNKEEPER_TOKEN, to close it"
    }
}

/// The secret stands alone on the last line, to be copied.
fn describe(token: &Value) -> String {
    let shown = fields(&[
        ("id", json_text(&token["id"])),
        ("name", json_text(&token["name"])),
        ("tenant", owner(token)),
        ("role", json_text(&token["role"])),
        ("expires", time(&token["expiresAt"])),
    ]);
    format!("{shown}\n\nThe secret is shown this once:\n{}", json_text(&token["secret"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_stands_alone() {
        let token = json!({"id": "1", "name": "ci", "tenant": null, "role": "operator", "secret": "ink_1"});
        let text = describe(&token);
        assert_eq!(text.lines().last(), Some("ink_1"));
        assert!(text.contains("(operator)"));
    }
}
