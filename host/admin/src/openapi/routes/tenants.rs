//! Tenants, tokens, and the record of changes.

use super::super::bodies::{TenantConfig, TenantPatch, TokenRequest};
use super::Draft;
use crate::audit::{self, AuditQuery};
use crate::paging::{NumberedQuery, PageQuery};
use crate::tenants::Shown as Tenant;
use crate::tokens::{Issued, Shown as Token};

const TENANTS: &str = "tenants";

pub(super) fn add(draft: &mut Draft) {
    tenants(draft);
    changes(draft);
    tokens(draft);
    draft
        .operation(
            TENANTS,
            ("get", "/v1/audit"),
            "listChanges",
            "Lists what was changed through this API, and by whom.",
        )
        .query::<AuditQuery>()
        .lists::<audit::Shown>("A page of changes, the newest first.")
        .done();
}

fn tenants(draft: &mut Draft) {
    draft
        .operation(TENANTS, ("get", "/v1/tenant"), "getOwnTenant", "Shows the tenant that asks.")
        .query::<()>()
        .answers::<Tenant>(200, "The tenant, and what it uses.")
        .done();
    draft
        .operation(TENANTS, ("get", "/v1/tenants"), "listTenants", "Lists tenants, by id.")
        .query::<PageQuery>()
        .lists::<Tenant>("A page of tenants.")
        .done();
    draft
        .operation(TENANTS, ("post", "/v1/tenants"), "createTenant", "Creates a tenant.")
        .body::<TenantConfig>(true)
        .answers::<Tenant>(201, "The tenant.")
        .located()
        .done();
    draft
        .operation(TENANTS, ("get", "/v1/tenants/{id}"), "getTenant", "Shows a tenant.")
        .query::<()>()
        .answers::<Tenant>(200, "The tenant, and what it uses.")
        .done();
}

fn changes(draft: &mut Draft) {
    draft
        .operation(
            TENANTS,
            ("patch", "/v1/tenants/{id}"),
            "changeTenant",
            "Changes what the body names of a tenant.",
        )
        .body::<TenantPatch>(true)
        .answers::<Tenant>(200, "The tenant.")
        .done();
    draft
        .operation(
            TENANTS,
            ("delete", "/v1/tenants/{id}"),
            "deleteTenant",
            "Deletes a tenant with everything it owns.",
        )
        .answers_nothing(204, "It is gone.")
        .problems(&[422])
        .done();
    for (name, path, summary) in [
        (
            "disableTenant",
            "/v1/tenants/{id}/disable",
            "Keeps a tenant from running anything, and from asking.",
        ),
        ("enableTenant", "/v1/tenants/{id}/enable", "Lets a disabled tenant go on."),
    ] {
        draft
            .operation(TENANTS, ("post", path), name, summary)
            .answers::<Tenant>(200, "The tenant.")
            .problems(&[422])
            .done();
    }
}

fn tokens(draft: &mut Draft) {
    draft
        .operation(TENANTS, ("get", "/v1/tokens"), "listTokens", "Lists tokens, without their secrets.")
        .query::<NumberedQuery>()
        .lists::<Token>("A page of tokens.")
        .done();
    draft
        .operation(TENANTS, ("post", "/v1/tokens"), "createToken", "Makes a token.")
        .body::<TokenRequest>(true)
        .answers::<Issued>(201, "The token, with its secret, which is shown here only.")
        .done();
    draft
        .operation(TENANTS, ("delete", "/v1/tokens/{id}"), "revokeToken", "Has a token be no longer good.")
        .answers_nothing(204, "It is no longer good.")
        .done();
    draft
        .operation(TENANTS, ("post", "/v1/tokens/{id}/rotate"), "rotateToken", "Gives a token a new secret.")
        .answers::<Issued>(200, "The token, with its new secret, which is shown here only.")
        .done();
}
