//! Publish and subscribe: live subscribers hear of what happens, after it was stored.
//!
//! Delivery is asynchronous and never waits: each subscriber has a bounded queue of its own, and what does not fit is
//! counted as missed. A slow, failing or vanished subscriber harms nobody. Topics are `event:<name>`, `task:<task id>`
//! and `execution:<task id>`; a pattern over topics is written with `*`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use innkeeper_model::event::Event;
use innkeeper_model::execution::{Execution, LogLine};
use innkeeper_model::id::{ExecutionId, RunId, TaskId, TenantId};
use innkeeper_model::progress::Progress;
use innkeeper_model::topic::{PatternIndex, TopicPattern};
use serde::Serialize;
use tokio::sync::mpsc;

use crate::feed::{FeedLimits, Feeds, Follower, Position};

/// Messages that may wait for one subscriber.
const QUEUE_MAX: usize = 1024;

/// What a subscriber hears.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum Message {
    /// An event was published.
    Event(Arc<Event>),
    /// A task changed.
    Task(TaskChange),
    /// An execution ended.
    Execution(Arc<ExecutionEnded>),
    /// An execution says how far it is.
    Progress(Arc<ExecutionProgress>),
}

impl Message {
    /// Roughly how much memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let own = size_of::<Self>();
        match self {
            Self::Event(event) => own + size_of::<Event>() + event.event.as_str().len() + text(&event.data),
            Self::Task(change) => own + change.task_id.as_str().len(),
            Self::Execution(ended) => {
                let lines = ended.logs.iter().map(|line| size_of::<LogLine>() + line.message.len());
                let execution = &ended.execution;
                let texts = text(&execution.output) + text(&execution.error) + text(&execution.event);
                own + size_of::<ExecutionEnded>() + texts + lines.sum::<usize>()
            }
            Self::Progress(said) => own + size_of::<ExecutionProgress>() + said.progress.note.len(),
        }
    }
}

/// What happened to a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskChange {
    /// The task.
    pub task_id: TaskId,
    /// What happened.
    pub change: ChangeKind,
}

/// The ways a task changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ChangeKind {
    /// It was created.
    Created,
    /// It was defined anew.
    Replaced,
    /// It was paused.
    Paused,
    /// It was resumed.
    Resumed,
    /// It was deleted.
    Deleted,
    /// It was a one-off, and is done.
    Finished,
}

/// An execution that ended, with what it logged.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutionEnded {
    /// The row of the audit trail.
    pub execution: Execution,
    /// Whether its run ended as failed with it.
    pub ends_run: bool,
    /// The run that its run repeats.
    pub replay_of: Option<RunId>,
    /// What it logged, in order.
    pub logs: Vec<LogLine>,
}

/// How far a running execution says it is. It is told of four times a second at most, and always of the latest.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutionProgress {
    /// The execution.
    pub execution_id: ExecutionId,
    /// Its run.
    pub run_id: RunId,
    /// Its task.
    pub task_id: TaskId,
    /// What it says.
    #[serde(flatten)]
    pub progress: Progress,
}

/// The meeting point of publishers and live subscribers; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Bus(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    subscribers: Mutex<Subscribers>,
    count: AtomicUsize,
    feeds: Arc<Feeds>,
}

#[derive(Debug, Default)]
struct Subscribers {
    last: u64,
    patterns: HashMap<TenantId, PatternIndex<u64>>,
    queues: HashMap<u64, Queue>,
}

#[derive(Debug, Clone)]
struct Queue {
    sender: mpsc::Sender<Message>,
    missed: Arc<AtomicU64>,
}

impl Bus {
    /// A bus that keeps so much for the readers of streams.
    #[must_use]
    pub fn new(limits: FeedLimits) -> Self {
        Self(Arc::new(Shared { feeds: Arc::new(Feeds::new(limits)), ..Shared::default() }))
    }

    /// Subscribes to a tenant's topics that match `pattern`, until the subscription is dropped.
    #[must_use]
    pub fn subscribe(&self, tenant: &TenantId, pattern: &TopicPattern) -> Subscription {
        let (sender, receiver) = mpsc::channel(QUEUE_MAX);
        let missed = Arc::<AtomicU64>::default();
        let mut subscribers = self.lock();
        subscribers.last += 1;
        let id = subscribers.last;
        subscribers.patterns.entry(tenant.clone()).or_default().insert(pattern, id);
        subscribers.queues.insert(id, Queue { sender, missed: Arc::clone(&missed) });
        self.0.count.store(subscribers.queues.len(), Ordering::Relaxed);
        Subscription {
            bus: self.clone(),
            id,
            tenant: tenant.clone(),
            pattern: pattern.clone(),
            receiver,
            missed,
        }
    }

    /// Reads a tenant's messages on topics that match one of `patterns`, after `after` if that is known. `id` names the
    /// window of its messages if there is none yet.
    pub(crate) fn follow(
        &self,
        tenant: &TenantId,
        patterns: Vec<TopicPattern>,
        after: Option<Position>,
        id: u64,
    ) -> Follower {
        self.0.feeds.follow(tenant, patterns, after, id)
    }

    /// Forgets the messages of a tenant that is gone; who reads them hears nothing more.
    pub(crate) fn forget_tenant(&self, tenant: &TenantId) {
        self.0.feeds.forget(tenant);
    }

    /// How many subscriptions there are.
    #[must_use]
    pub fn subscribers(&self) -> usize {
        self.0.count.load(Ordering::Relaxed)
    }

    /// How many subscriptions of the tenant there are.
    #[must_use]
    pub fn subscribers_of(&self, tenant: &TenantId) -> usize {
        let subscriptions = self.lock().patterns.get(tenant).map_or(0, PatternIndex::len);
        subscriptions + self.0.feeds.readers(tenant)
    }

    /// Tells the tenant's subscribers of `topic`. The message is made only if somebody listens.
    pub(crate) fn publish(&self, tenant: &TenantId, topic: &str, message: impl FnOnce() -> Message) {
        let is_kept = self.0.feeds.keeps(tenant);
        let listeners = if self.subscribers() == 0 { Vec::new() } else { self.listeners(tenant, topic) };
        if listeners.is_empty() && !is_kept {
            return;
        }
        let message = message();
        for queue in &listeners {
            queue.deliver(message.clone());
        }
        if is_kept {
            self.0.feeds.push(tenant, topic, message);
        }
    }

    fn listeners(&self, tenant: &TenantId, topic: &str) -> Vec<Queue> {
        let subscribers = self.lock();
        let Some(patterns) = subscribers.patterns.get(tenant) else { return Vec::new() };
        patterns.matching(topic).iter().filter_map(|id| subscribers.queues.get(id).cloned()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Subscribers> {
        self.0.subscribers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn deliver(&self, message: Message) {
        if self.sender.try_send(message).is_err() {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// One subscriber's end. Dropping it unsubscribes.
#[derive(Debug)]
pub struct Subscription {
    bus: Bus,
    id: u64,
    tenant: TenantId,
    pattern: TopicPattern,
    receiver: mpsc::Receiver<Message>,
    missed: Arc<AtomicU64>,
}

impl Subscription {
    /// The next message; waits for it.
    pub async fn next(&mut self) -> Option<Message> {
        self.receiver.recv().await
    }

    /// How many messages did not fit into this subscriber's queue so far.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut subscribers = self.bus.lock();
        subscribers.queues.remove(&self.id);
        if let Some(patterns) = subscribers.patterns.get_mut(&self.tenant) {
            patterns.remove(&self.pattern, &self.id);
            if patterns.is_empty() {
                subscribers.patterns.remove(&self.tenant);
            }
        }
        self.bus.0.count.store(subscribers.queues.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use innkeeper_model::id::EventId;
    use innkeeper_model::time::Timestamp;

    use super::*;
    use crate::feed::Heard;

    fn change(id: &str) -> Message {
        Message::Task(TaskChange { task_id: id.parse().expect("an id"), change: ChangeKind::Created })
    }

    fn tenant(name: &str) -> TenantId {
        name.parse().expect("a tenant")
    }

    fn pattern(text: &str) -> TopicPattern {
        text.parse().expect("a pattern")
    }

    #[tokio::test]
    async fn subscribers_hear_their_topics_of_their_tenant_only() {
        let bus = Bus::default();
        let mut mine = bus.subscribe(&tenant("a"), &pattern("task:*"));
        bus.publish(&tenant("b"), "task:x", || change("foreign"));
        bus.publish(&tenant("a"), "event:x", || change("other-topic"));
        bus.publish(&tenant("a"), "task:x", || change("mine"));
        assert_eq!(mine.next().await, Some(change("mine")));
        assert_eq!(bus.subscribers(), 1);
        drop(mine);
        assert_eq!(bus.subscribers(), 0);
        bus.publish(&tenant("a"), "task:x", || unreachable!("nobody listens"));
    }

    #[tokio::test]
    async fn readers_hear_their_topics_and_go_on_where_they_were() {
        let bus = Bus::default();
        let topics = || vec![pattern("task:*"), pattern("event:a")];
        bus.publish(&tenant("a"), "task:x", || unreachable!("nobody reads"));
        let mut reader = bus.follow(&tenant("a"), topics(), None, 1);
        bus.publish(&tenant("a"), "task:x", || change("first"));
        bus.publish(&tenant("a"), "event:b", || change("of-no-interest"));
        bus.publish(&tenant("b"), "task:x", || unreachable!("nobody reads of this tenant"));
        let Heard::Messages(heard) = reader.next().await else { panic!("messages") };
        assert_eq!(heard.iter().map(|(_, message)| message.clone()).collect::<Vec<_>>(), [change("first")]);
        let position = reader.position();
        assert_eq!(position.to_string().parse(), Ok(position));
        drop(reader);
        bus.publish(&tenant("a"), "task:x", || change("while-away"));
        let mut back = bus.follow(&tenant("a"), topics(), Some(position), 2);
        let Heard::Messages(heard) = back.next().await else { panic!("messages") };
        assert_eq!((heard.len(), back.is_reset()), (1, false));
        assert_eq!(bus.subscribers_of(&tenant("a")), 1);
        let other_process = "ff-1".parse().expect("a position");
        let mut lost = bus.follow(&tenant("a"), topics(), Some(other_process), 3);
        let Heard::Messages(heard) = lost.next().await else { panic!("messages") };
        assert_eq!((heard.len(), lost.is_reset()), (2, true), "all that is kept, and a warning");
    }

    #[tokio::test]
    async fn a_reader_that_is_too_slow_is_told_how_much_it_missed() {
        let bus = Bus::default();
        let mut slow = bus.follow(&tenant("a"), vec![pattern("*")], None, 1);
        for _ in 0..4096 + 7 {
            bus.publish(&tenant("a"), "task:x", || change("x"));
        }
        assert_eq!(slow.next().await, Heard::Missed(7));
        let Heard::Messages(heard) = slow.next().await else { panic!("messages") };
        assert_eq!(heard.len(), 256, "as many as are taken at once");
    }

    #[test]
    fn what_is_kept_is_bounded_in_bytes_and_forgotten_when_nobody_can_come_back() {
        let bus = Bus::default();
        let event = |bytes: usize| {
            let (at, data) = (Timestamp::from_millis(0), Some("x".repeat(bytes)));
            let (id, event) = (EventId::new(at, [0; 10]), "big".parse().expect("a name"));
            move || Message::Event(Arc::new(Event { id, event, data, published_at: at, trace_id: None }))
        };
        let reader = bus.follow(&tenant("a"), vec![pattern("*")], None, 1);
        let start = reader.position();
        for _ in 0..5 {
            bus.publish(&tenant("a"), "event:big", event(1 << 20));
        }
        assert!(
            bus.follow(&tenant("a"), vec![], Some(start), 2).position() == start,
            "the id is still known"
        );
        drop(reader);
        for _ in 0..3 {
            bus.publish(&tenant("a"), "event:big", event(1 << 20));
        }
        assert!(bus.0.feeds.keeps(&tenant("a")), "somebody could come back");
        for _ in 0..2 {
            bus.publish(&tenant("a"), "event:big", event(1 << 20));
        }
        assert!(!bus.0.feeds.keeps(&tenant("a")), "nobody could any more");
    }

    #[tokio::test]
    async fn what_a_slow_subscriber_misses_is_counted_and_harms_no_other() {
        let bus = Bus::default();
        let slow = bus.subscribe(&tenant("a"), &pattern("*"));
        for _ in 0..QUEUE_MAX + 5 {
            bus.publish(&tenant("a"), "task:x", || change("x"));
        }
        assert_eq!(slow.missed(), 5);
        let mut late = bus.subscribe(&tenant("a"), &pattern("*"));
        bus.publish(&tenant("a"), "task:y", || change("y"));
        assert_eq!(late.next().await, Some(change("y")));
    }
}
