//! A tenant as the host keeps it, and how tenants share the slots for executions: pure.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::execution::UnknownName;
use crate::id::TenantId;
use crate::limits::LimitWishes;
use crate::quota::QuotaWishes;
use crate::time::Timestamp;

/// The greatest weight of a tenant.
pub const WEIGHT_MAX: u32 = 100;

/// Where a tenant stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TenantStatus {
    /// It runs.
    Active,
    /// Nothing of it runs and nothing is accepted from it. Its data stays.
    Disabled,
    /// Its data is being deleted; it does not come back.
    Deleting,
}

impl TenantStatus {
    /// The status's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Deleting => "deleting",
        }
    }
}

impl FromStr for TenantStatus {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let all = [Self::Active, Self::Disabled, Self::Deleting];
        let found = all.into_iter().find(|status| status.as_str() == text);
        found.ok_or_else(|| UnknownName(text.to_owned(), "tenant status"))
    }
}

/// What the operator has set for a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantSettings {
    /// Its share of the starts while several tenants wait: so many turns in each round, 1 to [`WEIGHT_MAX`].
    pub weight: u32,
    /// IANA name of the zone of its tasks that name none; `None` means the host's.
    pub timezone: Option<String>,
    /// What one execution of it may use at most.
    pub limits: LimitWishes,
    /// What all of it may use; `None` in it means the host's default.
    pub quotas: QuotaWishes,
}

impl Default for TenantSettings {
    fn default() -> Self {
        Self { weight: 1, timezone: None, limits: LimitWishes::default(), quotas: QuotaWishes::default() }
    }
}

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Its name.
    pub id: TenantId,
    /// Where it stands.
    pub status: TenantStatus,
    /// When it was created.
    pub created_at: Timestamp,
    /// What the operator has set.
    pub settings: TenantSettings,
}

/// How many executions of one tenant may run at once on a host with `slots` slots and `tenants` tenants, if nothing else
/// is set: alone it may have all; beside others it leaves an eighth of them, at least one, so that somebody who comes
/// later finds one free.
#[must_use]
pub fn default_concurrency(slots: u32, tenants: usize) -> u32 {
    let reserve = if tenants > 1 { (slots / 8).max(1) } else { 0 };
    slots.saturating_sub(reserve).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_leaves_slots_for_others_if_there_are_any() {
        let cases = [(256, 1, 256), (256, 2, 224), (256, 9, 224), (4, 2, 3), (2, 2, 1), (1, 5, 1)];
        for (slots, tenants, expected) in cases {
            assert_eq!(default_concurrency(slots, tenants), expected, "{slots} slots, {tenants} tenants");
        }
    }
}
