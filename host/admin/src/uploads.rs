//! Whose upload is next: a bounded queue in which tenants take turns.
//!
//! An upload takes room on the disk while it is received and processors while it is compiled, so only a few go on at once, and only a
//! few of one tenant: then another tenant's has a turn at once, or after one that is going on.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use innkeeper_model::id::TenantId;
use tokio::sync::oneshot;

use crate::config::AdminConfig;

/// The queue of uploads.
pub(crate) struct Uploads {
    queue: Mutex<Queue>,
    /// Uploads of one tenant that wait at most.
    pub(crate) waiting_max: usize,
}

/// As many uploads of the tenant wait as may.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Uploads {
    pub(crate) fn new(config: &AdminConfig) -> Arc<Self> {
        let queue = Queue {
            going_on: 0,
            going_on_max: config.uploads_max.max(1),
            of_tenant_max: config.uploads_per_tenant_max.max(1),
            lines: HashMap::new(),
            order: VecDeque::new(),
        };
        Arc::new(Self { queue: Mutex::new(queue), waiting_max: config.uploads_waiting_max })
    }

    /// Waits for a turn of `tenant`. Whoever gives up waiting gives up its place.
    ///
    /// # Errors
    /// [`Full`], at once.
    pub(crate) async fn turn(self: &Arc<Self>, tenant: &TenantId) -> Result<Turn, Full> {
        let waiting = {
            let mut queue = self.lock();
            if queue.take(tenant) {
                return Ok(Turn { uploads: Arc::clone(self), tenant: tenant.clone() });
            }
            queue.wait(tenant, self.waiting_max)?
        };
        // The sender is in the queue until it is used.
        waiting.await.map_err(|_| Full)
    }

    fn end(self: &Arc<Self>, tenant: &TenantId) {
        let next = {
            let mut queue = self.lock();
            queue.end(tenant);
            queue.next()
        };
        if let Some((tenant, waiting)) = next {
            // One that nobody waits for any more comes back, is dropped, and so ends in turn.
            let _ = waiting.send(Turn { uploads: Arc::clone(self), tenant });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to upload, until it is dropped.
pub(crate) struct Turn {
    uploads: Arc<Uploads>,
    tenant: TenantId,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.uploads.end(&self.tenant);
    }
}

struct Queue {
    going_on: usize,
    going_on_max: usize,
    of_tenant_max: usize,
    /// The tenants that have uploads.
    lines: HashMap<TenantId, Line>,
    /// The same, the one whose turn it is first.
    order: VecDeque<TenantId>,
}

#[derive(Default)]
struct Line {
    going_on: usize,
    waiting: VecDeque<oneshot::Sender<Turn>>,
}

impl Queue {
    /// Takes a turn if one is free; nobody waits then who could have it.
    fn take(&mut self, tenant: &TenantId) -> bool {
        let (is_free, of_tenant_max) = (self.going_on < self.going_on_max, self.of_tenant_max);
        let line = self.line(tenant);
        if !is_free || line.going_on >= of_tenant_max {
            return false;
        }
        line.going_on += 1;
        self.going_on += 1;
        true
    }

    fn wait(&mut self, tenant: &TenantId, waiting_max: usize) -> Result<oneshot::Receiver<Turn>, Full> {
        let line = self.line(tenant);
        line.waiting.retain(|waiting| !waiting.is_closed());
        if line.waiting.len() >= waiting_max {
            self.forget_idle(tenant);
            return Err(Full);
        }
        let (sender, receiver) = oneshot::channel();
        line.waiting.push_back(sender);
        Ok(receiver)
    }

    /// Ends a turn.
    fn end(&mut self, tenant: &TenantId) {
        self.going_on = self.going_on.saturating_sub(1);
        let line = self.line(tenant);
        line.going_on = line.going_on.saturating_sub(1);
        self.forget_idle(tenant);
    }

    fn forget_idle(&mut self, tenant: &TenantId) {
        if self.lines.get(tenant).is_some_and(|line| line.going_on == 0 && line.waiting.is_empty()) {
            self.lines.remove(tenant);
            self.order.retain(|other| other != tenant);
        }
    }

    /// Gives a free turn to whoever has waited longest of the next tenant that may have one.
    fn next(&mut self) -> Option<(TenantId, oneshot::Sender<Turn>)> {
        if self.going_on >= self.going_on_max {
            return None;
        }
        for _ in 0..self.order.len() {
            let tenant = self.order.pop_front()?;
            self.order.push_back(tenant.clone());
            let of_tenant_max = self.of_tenant_max;
            let line = self.line(&tenant);
            if line.going_on < of_tenant_max
                && let Some(waiting) = line.waiting.pop_front()
            {
                line.going_on += 1;
                self.going_on += 1;
                return Some((tenant, waiting));
            }
        }
        None
    }

    fn line(&mut self, tenant: &TenantId) -> &mut Line {
        if !self.lines.contains_key(tenant) {
            self.order.push_back(tenant.clone());
        }
        self.lines.entry(tenant.clone()).or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    type Waiting = Pin<Box<dyn Future<Output = Result<Turn, Full>>>>;

    fn uploads(uploads_max: usize, uploads_waiting_max: usize) -> Arc<Uploads> {
        let config = AdminConfig { uploads_max, uploads_waiting_max, ..AdminConfig::default() };
        Uploads::new(&config)
    }

    fn tenant(name: &str) -> TenantId {
        name.parse().expect("a tenant")
    }

    fn ask(uploads: &Arc<Uploads>, name: &str) -> Waiting {
        let (uploads, tenant) = (Arc::clone(uploads), tenant(name));
        let mut waiting: Waiting = Box::pin(async move { uploads.turn(&tenant).await });
        assert!(look(&mut waiting).is_none(), "it waits");
        waiting
    }

    fn look(waiting: &mut Waiting) -> Option<Result<Turn, Full>> {
        match waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(turn) => Some(turn),
            Poll::Pending => None,
        }
    }

    fn at_once(uploads: &Arc<Uploads>, name: &str) -> Result<Turn, Full> {
        let (uploads, tenant) = (Arc::clone(uploads), tenant(name));
        let mut waiting: Waiting = Box::pin(async move { uploads.turn(&tenant).await });
        look(&mut waiting).expect("an answer at once")
    }

    #[test]
    fn tenants_take_turns_however_many_uploads_one_has() {
        let uploads = uploads(2, 8);
        let first = at_once(&uploads, "a").expect("a turn");
        let mut more = [ask(&uploads, "a"), ask(&uploads, "a")];
        let other = at_once(&uploads, "b").expect("a turn beside the other tenant's");
        let mut third = ask(&uploads, "c");
        drop(first);
        let again = look(&mut more[0]);
        assert!(again.is_some_and(|turn| turn.is_ok()), "the first in line, whose turn ends here");
        assert!(look(&mut more[1]).is_none(), "the next is another tenant's");
        assert!(look(&mut third).is_some_and(|turn| turn.is_ok()));
        drop(other);
        assert!(look(&mut more[1]).is_some_and(|turn| turn.is_ok()));
    }

    #[test]
    fn a_queue_is_bounded_for_each_tenant() {
        let uploads = uploads(1, 2);
        let going_on = at_once(&uploads, "a").expect("a turn");
        let waiting = [ask(&uploads, "a"), ask(&uploads, "a")];
        assert!(matches!(at_once(&uploads, "a"), Err(Full)));
        let of_another = ask(&uploads, "b");
        drop(waiting);
        let mut again = ask(&uploads, "a");
        drop((of_another, going_on));
        assert!(look(&mut again).is_some_and(|turn| turn.is_ok()), "those that gave up are passed over");
    }

    #[test]
    fn nothing_is_left_of_uploads_that_ended() {
        let uploads = uploads(2, 8);
        for name in ["a", "b", "a"] {
            drop(at_once(&uploads, name).expect("a turn"));
        }
        let queue = uploads.lock();
        assert!(queue.lines.is_empty() && queue.order.is_empty() && queue.going_on == 0);
    }
}
