//! How a version is to take effect, in the words of the API; and what came of it, in words for people.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::args::{GrantText, RolloutArgs};
use crate::exit::Failure;
use crate::output::{bytes, count, json_text};
use crate::plugin_tools;
use crate::plugins::short_digest;

/// The body of a request to activate a version.
pub(crate) fn body(digest: Option<&str>, args: &RolloutArgs) -> Value {
    let mut body = Map::new();
    body.extend(digest.map(|digest| ("digest".to_owned(), digest.into())));
    if !args.allow.is_empty() {
        body.insert("allow".to_owned(), lists(&args.allow));
    }
    for (field, is_wished) in [("withoutGrants", args.without_grants), ("migrate", args.migrate)] {
        if is_wished {
            body.insert(field.to_owned(), true.into());
        }
    }
    if let Some(canary) = &args.canary {
        let mut sample = canary.sample.clone();
        if args.canary_http {
            sample.insert("http".to_owned(), true.into());
        }
        body.insert("canary".to_owned(), sample.into());
    }
    body.into()
}

fn lists(grants: &[GrantText]) -> Value {
    let mut lists = json!({});
    for grant in grants {
        match &mut lists[grant.list] {
            Value::Array(list) => list.push(grant.entry.clone().into()),
            list => *list = json!([grant.entry]),
        }
    }
    lists
}

/// The parameters of an upload whose version is active at once.
pub(crate) fn query(args: &RolloutArgs) -> Vec<(&'static str, String)> {
    let mut query: Vec<_> = args.allow.iter().map(|grant| ("allow", grant.to_string())).collect();
    for (name, is_wished) in [("withoutGrants", args.without_grants), ("migrate", args.migrate)] {
        if is_wished {
            query.push((name, true.to_string()));
        }
    }
    query
}

/// What is different about a version, a line for each; none if there is nothing to tell.
pub(crate) fn describe(answer: &Value) -> String {
    let (changes, version) = (&answer["changes"], &answer["version"]);
    let mut lines = Vec::new();
    if !changes["before"].is_null() && changes["before"]["digest"] != version["digest"] {
        compare(&changes["before"], version, &mut lines);
    }
    for (what, names) in [("imports now", "importsAdded"), ("imports no more", "importsRemoved")] {
        // Of a first version everything is new, and stands above.
        let is_news = !changes["before"].is_null();
        lines.extend(list(&changes[names]).iter().filter(|_| is_news).map(|name| format!("  {what} {name}")));
    }
    let missing = list(&changes["missing"]);
    if !missing.is_empty() {
        let forms: Vec<_> = missing.iter().map(|kind| form(kind)).collect();
        let (name, forms) = (json_text(&answer["name"]), forms.join(" "));
        lines.push(format!(
            "it asks for {}, and none is granted: innkeeper plugin allow {name} {forms}",
            missing.join(", ")
        ));
    }
    if let Some(runs) = answer["migratedRuns"].as_u64().filter(|runs| *runs > 0) {
        let runs = usize::try_from(runs).unwrap_or(usize::MAX);
        lines.push(format!("{} moved to it", count(runs, "waiting run")));
    }
    if !answer["trial"].is_null() {
        lines.push(format!("its trial went well\n{}", plugin_tools::describe_trial(&answer["trial"])));
    }
    lines.iter().flat_map(|line| ["\n", line.trim_end()]).collect()
}

/// How a version differs from the one before as a whole.
fn compare(before: &Value, version: &Value, lines: &mut Vec<String>) {
    let size = |of: &Value| of["size"].as_u64().unwrap_or(0);
    let digest = json_text(&before["digest"]);
    lines.push(format!(
        "against version {}: {} before, {} now",
        short_digest(&digest),
        bytes(size(before)),
        bytes(size(version))
    ));
    if !before["handler"].is_null() && before["handler"] != version["handler"] {
        let (from, to) = (json_text(&before["handler"]), json_text(&version["handler"]));
        lines.push(format!("  was called as {from}, is called as {to}"));
    }
}

fn list(names: &Value) -> Vec<String> {
    names.as_array().into_iter().flatten().map(json_text).collect()
}

/// What a grant of this kind looks like.
fn form(kind: &str) -> &'static str {
    use innkeeper_model::rollout::Capability;
    Capability::ALL.into_iter().find(|known| known.as_str() == kind).map_or("KIND=WHAT", Capability::form)
}

/// Says beside a refusal for the lack of grants how to go on: what was typed is `command` with `args`.
pub(crate) fn with_remedy(failure: Failure, command: &str, args: &RolloutArgs) -> Failure {
    let Failure::Refused(mut problem) = failure else { return failure };
    let command = retyped(command, args);
    if problem.code.as_deref() == Some("grants_needed") {
        let forms = problem.errors.iter().filter_map(|error| error.suggestion.as_deref());
        let flags: String = forms.flat_map(|form| [" --allow ", form]).collect();
        let before = problem.hint.map(|hint| format!("{hint}\n")).unwrap_or_default();
        problem.hint = Some(
            format!(
                "{before}repeat it with what it may have:\n  {command}{flags}\nor have it denied that:\n  \
             {command} --without-grants"
            )
            .into(),
        );
    }
    Failure::Refused(problem)
}

/// The command as it was typed.
fn retyped(command: &str, args: &RolloutArgs) -> String {
    let mut line = command.to_owned();
    for grant in &args.allow {
        let _ = write!(line, " --allow {grant}");
    }
    if args.migrate {
        line.push_str(" --migrate");
    }
    if let Some(canary) = &args.canary {
        let _ = write!(line, " --canary '{}'", canary.typed.replace('\'', r"'\''"));
    }
    if args.canary_http {
        line.push_str(" --canary-http");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Problem;

    fn args() -> RolloutArgs {
        RolloutArgs {
            allow: ["http=https://a.org", "kv=x", "kv=y"].map(|text| text.parse().expect("a grant")).to_vec(),
            migrate: true,
            canary: Some("a:b=1".parse().expect("a sample")),
            ..RolloutArgs::default()
        }
    }

    #[test]
    fn a_rollout_is_written_for_both_routes() {
        let expected = json!({
            "digest": "ab", "allow": {"http": ["https://a.org"], "keyValue": ["x", "y"]}, "migrate": true,
            "canary": {"event": "a:b", "data": 1},
        });
        assert_eq!(body(Some("ab"), &args()), expected);
        assert_eq!(body(None, &RolloutArgs::default()), json!({}));
        let pairs: Vec<_> = query(&args()).iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(pairs, ["allow=http=https://a.org", "allow=kv=x", "allow=kv=y", "migrate=true"]);
    }

    #[test]
    fn changes_are_told_by_line() {
        let answer = json!({
            "name": "p", "version": {"digest": "cd", "size": 2048, "handler": "command"}, "migratedRuns": 1,
            "changes": {"before": {"digest": "ab", "size": 1024, "handler": "plugin"},
                "importsAdded": ["x"], "importsRemoved": ["y"], "newlyNeeded": ["http"], "missing": ["http", "config"]},
        });
        let expected = "\nagainst version ab: 1.0 KiB before, 2.0 KiB now\n  was called as plugin, is called as command\
            \n  imports now x\n  imports no more y\
            \nit asks for http, config, and none is granted: innkeeper plugin allow p http=https://HOST config=KEY\
            \n1 waiting run moved to it";
        assert_eq!(describe(&answer), expected);
        let first = json!({"name": "p", "version": {"digest": "cd"}, "migratedRuns": 0,
            "changes": {"before": null, "importsAdded": ["x"], "importsRemoved": [], "missing": []}});
        assert_eq!(describe(&first), "");
    }

    #[test]
    fn who_lacks_grants_is_told_what_to_type() {
        let body = br#"{"code": "grants_needed", "detail": "it asks for more", "errors": [
            {"field": "allow", "code": "grant_needed", "message": "kv: kv=BUCKET", "suggestion": "kv=BUCKET"}]}"#;
        let refused = Failure::Refused(Problem::from_answer(409, body));
        let message = with_remedy(refused, "innkeeper plugin push p p.wasm", &args()).message();
        let typed = "innkeeper plugin push p p.wasm --allow http=https://a.org --allow kv=x --allow kv=y --migrate \
            --canary 'a:b=1'";
        assert!(message.contains(&format!("\n  {typed} --allow kv=BUCKET\n")), "{message}");
        assert!(message.ends_with(&format!("{typed} --without-grants")), "{message}");
    }
}
