//! The memory that bodies of requests take, and what was made of them: bounded for each tenant and for all together.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use innkeeper_model::id::TenantId;

use crate::problem::Problem;

/// One tenant may take up this share of what all may.
const TENANT_SHARE: usize = 4;

/// What the bodies in memory take.
#[derive(Debug)]
pub(crate) struct Bodies {
    bytes_max: usize,
    held: Mutex<HashMap<TenantId, usize>>,
}

impl Bodies {
    /// All of them together may take `bytes_max`.
    pub(crate) fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self { bytes_max, held: Mutex::default() })
    }

    fn take(&self, tenant: &TenantId, bytes: usize) -> bool {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = held.values().sum();
        let of_tenant = held.get(tenant).copied().unwrap_or(0);
        let fits = all.saturating_add(bytes) <= self.bytes_max
            && of_tenant.saturating_add(bytes) <= self.bytes_max / TENANT_SHARE;
        if fits {
            *held.entry(tenant.clone()).or_default() += bytes;
        }
        fits
    }

    fn give_back(&self, tenant: &TenantId, bytes: usize) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let left = held.get(tenant).map_or(0, |held| held.saturating_sub(bytes));
        if left == 0 {
            held.remove(tenant);
        } else {
            held.insert(tenant.clone(), left);
        }
    }
}

/// What one request takes, given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    bodies: Arc<Bodies>,
    tenant: TenantId,
    bytes: AtomicUsize,
}

impl Held {
    /// Of a request of `tenant`, which takes nothing yet.
    pub(crate) fn new(bodies: &Arc<Bodies>, tenant: TenantId) -> Self {
        Self { bodies: Arc::clone(bodies), tenant, bytes: AtomicUsize::new(0) }
    }

    /// Takes so many more bytes.
    ///
    /// # Errors
    /// Others must be answered first.
    pub(crate) fn take(&self, bytes: usize) -> Result<(), Problem> {
        if !self.bodies.take(&self.tenant, bytes) {
            return Err(Problem::too_many_bodies());
        }
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.bodies.give_back(&self.tenant, *self.bytes.get_mut());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(bodies: &Arc<Bodies>, tenant: &str) -> Held {
        Held::new(bodies, tenant.parse().expect("a tenant"))
    }

    #[test]
    fn a_tenant_takes_up_its_share_and_no_more() {
        let bodies = Bodies::new(400);
        let (one, other) = (held(&bodies, "flood"), held(&bodies, "flood"));
        assert!(one.take(60).is_ok() && other.take(40).is_ok());
        assert!(other.take(1).is_err());
        assert!(held(&bodies, "quiet").take(100).is_ok(), "others have theirs");
        drop(one);
        assert!(other.take(60).is_ok(), "what is answered makes room");
        drop(other);
        assert!(bodies.held.lock().expect("no panic").is_empty());
    }

    #[test]
    fn all_together_are_bounded() {
        let bodies = Bodies::new(400);
        let held: Vec<_> = (0..5).map(|number| held(&bodies, &format!("t{number}"))).collect();
        let taken = held.iter().filter(|held| held.take(100).is_ok()).count();
        assert_eq!(taken, 4);
    }
}
