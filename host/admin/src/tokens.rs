//! Tokens: making, listing, renewing and revoking them. A secret is in one answer and never again.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use innkeeper_model::access::{Role, Secret};
use innkeeper_model::id::{TenantId, TokenId};
use innkeeper_model::problem::{FieldError, nearest};
use innkeeper_model::time::Timestamp;
use innkeeper_schedule::duration::parse_duration;
use innkeeper_store::Token;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::auth::{By, Identity, Tenant};
use crate::fields::Fields;
use crate::id::Id;
use crate::json::JsonBody;
use crate::openapi::values;
use crate::paging::NumberedQuery;
use crate::problem::Problem;
use crate::query::Query;
use crate::router::Api;

/// The tenant's tokens; the operator sees its own beside them.
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    By(identity): By,
    Query(page): Query<NumberedQuery>,
) -> Result<impl IntoResponse, Problem> {
    let mut tokens = api.runner.tokens(Some(&tenant));
    if identity.tenant.is_none() {
        tokens.extend(api.runner.tokens(None));
    }
    Ok(Json(page.of::<_, Shown>(tokens)))
}

pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    By(identity): By,
    JsonBody(body): JsonBody,
) -> Result<impl IntoResponse, Problem> {
    let wanted = Wanted::read(body, api.runner.now()).map_err(Problem::invalid)?;
    let is_operators = wanted.role == Role::Operator;
    if is_operators && identity.tenant.is_some() {
        return Err(Problem::forbidden("only the operator can make a token with the role `operator`"));
    }
    let owner = Some(&tenant).filter(|_| !is_operators);
    let made = api.runner.create_token(owner, wanted.name, wanted.role, wanted.expires_at).await?;
    Ok((StatusCode::CREATED, Json(Issued::from(made))))
}

pub(crate) async fn revoke(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    By(identity): By,
    Id(id): Id<TokenId>,
) -> Result<StatusCode, Problem> {
    api.runner.revoke_token(owner(&api, &tenant, &identity, id), id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives a token a new secret.
pub(crate) async fn rotate(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    By(identity): By,
    Id(id): Id<TokenId>,
) -> Result<impl IntoResponse, Problem> {
    let renewed = api.runner.rotate_token(owner(&api, &tenant, &identity, id), id).await?;
    Ok(Json(Issued::from(renewed)))
}

/// Whose token the id names, as far as the caller may know: the tenant's, or for the operator its own.
fn owner<'a>(api: &Api, tenant: &'a TenantId, identity: &Identity, id: TokenId) -> Option<&'a TenantId> {
    let is_operators =
        identity.tenant.is_none() && api.runner.tokens(None).iter().any(|token| token.id == id);
    Some(tenant).filter(|_| !is_operators)
}

/// A token that is asked for.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    name: String,
    role: Role,
    expires_at: Option<Timestamp>,
}

impl Wanted {
    fn read(body: Value, now: Timestamp) -> Result<Self, Vec<FieldError>> {
        let mut problems = Vec::new();
        let mut fields = Fields::new("", body, &["name", "role", "expiresAt", "expiresIn"], &mut problems);
        let (name, role) = (fields.required_text("name"), fields.required_text("role"));
        let (at, after) = (fields.text("expiresAt"), fields.text("expiresIn"));
        let mut problem = |field, code, message| problems.push(FieldError::new(field, code, message));
        if at.is_some() && after.is_some() {
            problem("expiresIn", "contradiction", "cannot be given beside `expiresAt`".to_owned());
        }
        let at = at.and_then(|text| {
            let read = text.parse::<Timestamp>();
            read.map_err(|error| problem("expiresAt", "invalid_timestamp", error.to_string())).ok()
        });
        let after = after.and_then(|text| {
            let read = parse_duration(&text);
            read.map_err(|error| problem("expiresIn", "invalid_duration", error.to_string())).ok()
        });
        let parsed = role.parse::<Role>().ok();
        if parsed.is_none() && !role.is_empty() {
            let known = Role::ALL.map(Role::as_str);
            let message = format!("`{role}` is none of `{}`", known.join("`, `"));
            problems
                .push(FieldError::new("role", "unknown_value", message).suggesting(nearest(&role, known)));
        }
        let expires_at = at.or_else(|| after.map(|after| now.saturating_add(after)));
        match parsed {
            Some(role) if problems.is_empty() => Ok(Self { name, role, expires_at }),
            _ => Err(problems),
        }
    }
}

/// A token without its secret, of which nothing is left.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Token)]
pub(crate) struct Shown {
    #[schema(value_type = values::TokenId)]
    id: TokenId,
    /// `null` is the operator.
    #[schema(value_type = Option<values::TenantId>)]
    tenant: Option<TenantId>,
    name: String,
    #[schema(value_type = values::RoleName)]
    role: Role,
    #[schema(value_type = values::Instant)]
    created_at: Timestamp,
    #[schema(value_type = Option<values::Instant>)]
    expires_at: Option<Timestamp>,
    #[schema(value_type = Option<values::Instant>)]
    last_used_at: Option<Timestamp>,
}

impl From<Token> for Shown {
    fn from(token: Token) -> Self {
        Self {
            id: token.id,
            tenant: token.tenant,
            name: token.name,
            role: token.role,
            created_at: token.created_at,
            expires_at: token.expires_at,
            last_used_at: token.last_used_at,
        }
    }
}

/// A token with its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = IssuedToken)]
pub(crate) struct Issued {
    #[serde(flatten)]
    token: Shown,
    secret: String,
}

impl From<(Token, Secret)> for Issued {
    fn from((token, secret): (Token, Secret)) -> Self {
        Self { token: token.into(), secret: secret.reveal().to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_end_is_an_instant_or_a_time_from_now() {
        let now = "2025-06-01T12:00:00Z".parse().expect("an instant");
        let in_a_day = json!({"name": "ci", "role": "writer", "expiresIn": "1d"});
        let then = json!({"name": "ci", "role": "writer", "expiresAt": "2025-06-02T12:00:00Z"});
        let wanted = Wanted::read(in_a_day, now).expect("a token");
        assert_eq!(wanted, Wanted::read(then, now).expect("a token"));
        assert_eq!(wanted.role, Role::Writer);
    }

    #[test]
    fn everything_that_is_wrong_is_named() {
        let now = Timestamp::default();
        let body = json!({"role": "raeder", "expiresIn": "soon", "expiresAt": "now", "nmae": "x"});
        let problems = Wanted::read(body, now).expect_err("wrong");
        let mut fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
        fields.sort_unstable();
        assert_eq!(fields, ["expiresAt", "expiresIn", "expiresIn", "name", "nmae", "role"]);
    }
}
