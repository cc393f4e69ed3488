//! What a tenant's streams read: the latest messages, kept for those who come back.
//!
//! A reader has no queue of its own. It knows how far it has read, and takes what comes after that from the tenant's one
//! window; if that has moved on meanwhile, the reader is told how much it missed. So a slow reader costs nothing and
//! delays nobody. A window exists from the first reader on, until no reader could come back to anything in it.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use innkeeper_model::id::TenantId;
use innkeeper_model::topic::TopicPattern;
use tokio::sync::watch;

use crate::bus::Message;

/// How much of one tenant's latest messages is kept for readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedLimits {
    /// Messages, at least 1.
    pub messages_max: usize,
    /// Their bytes, roughly. The latest message is kept whatever its size.
    pub bytes_max: usize,
}

impl Default for FeedLimits {
    fn default() -> Self {
        Self { messages_max: 4096, bytes_max: 4 << 20 }
    }
}

/// Windows without a reader that are kept while there are no more windows than this.
const WINDOWS_MAX: usize = 64;

/// Messages that a reader takes at once.
const TAKEN_MAX: usize = 256;

/// How far a reader has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Which window it is a position in.
    window: u64,
    /// The number of the last message read.
    number: u64,
}

impl Position {
    /// A position in a window that there never was: whoever goes on from it is told that something may be missing.
    pub const UNKNOWN: Self = Self { window: 0, number: 0 };
}

impl fmt::Display for Position {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:x}-{}", self.window, self.number)
    }
}

/// The text is not a position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an id of this stream")]
pub struct InvalidPosition(String);

impl FromStr for Position {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let invalid = || InvalidPosition(text.chars().take(80).collect());
        let (window, number) = text.split_once('-').ok_or_else(invalid)?;
        let read = |number: Result<u64, ParseIntError>| number.map_err(|_| invalid());
        Ok(Self { window: read(u64::from_str_radix(window, 16))?, number: read(number.parse())? })
    }
}

/// The windows of all tenants.
#[derive(Debug, Default)]
pub(crate) struct Feeds {
    limits: FeedLimits,
    windows: Mutex<HashMap<TenantId, Arc<Window>>>,
    count: AtomicUsize,
}

#[derive(Debug)]
struct Window {
    id: u64,
    kept: Mutex<Kept>,
    /// The number of the last message.
    news: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Kept {
    entries: VecDeque<Entry>,
    bytes: usize,
    last: u64,
    readers: usize,
    /// The last message when the last reader left.
    left_at: u64,
}

#[derive(Debug)]
struct Entry {
    topic: Box<str>,
    message: Message,
    bytes: usize,
}

impl Feeds {
    pub(crate) fn new(limits: FeedLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Begins to read a tenant's messages on topics that match one of `patterns`: those after `after` if that is known,
    /// all that are kept if it is not, and only new ones without it. `id` names the window if there is none yet.
    pub(crate) fn follow(
        self: &Arc<Self>,
        tenant: &TenantId,
        patterns: Vec<TopicPattern>,
        after: Option<Position>,
        id: u64,
    ) -> Follower {
        let mut windows = self.lock();
        if windows.len() >= WINDOWS_MAX && !windows.contains_key(tenant) {
            windows.retain(|_, window| window.lock().readers > 0);
        }
        let new = || Arc::new(Window { id, kept: Mutex::default(), news: watch::channel(0).0 });
        let window = Arc::clone(windows.entry(tenant.clone()).or_insert_with(new));
        self.count.store(windows.len(), Ordering::Relaxed);
        let (number, is_reset) = window.lock().enter(window.id, after);
        let news = window.news.subscribe();
        Follower { feeds: Arc::clone(self), tenant: tenant.clone(), window, patterns, number, news, is_reset }
    }

    /// Whether anything is kept for anybody.
    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    /// How many read the tenant's messages.
    pub(crate) fn readers(&self, tenant: &TenantId) -> usize {
        self.lock().get(tenant).map_or(0, |window| window.lock().readers)
    }

    /// Drops the window of a tenant.
    pub(crate) fn forget(&self, tenant: &TenantId) {
        let mut windows = self.lock();
        windows.remove(tenant);
        self.count.store(windows.len(), Ordering::Relaxed);
    }

    /// Whether messages of the tenant are kept.
    pub(crate) fn keeps(&self, tenant: &TenantId) -> bool {
        !self.is_empty() && self.lock().contains_key(tenant)
    }

    /// Keeps a message, if messages of its tenant are kept.
    pub(crate) fn push(&self, tenant: &TenantId, topic: &str, message: Message) {
        let mut windows = self.lock();
        let Some(window) = windows.get(tenant) else { return };
        let last = window.lock().push(topic, message, self.limits);
        match last {
            Some(last) => drop(window.news.send_replace(last)),
            None => drop(windows.remove(tenant)),
        }
        self.count.store(windows.len(), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TenantId, Arc<Window>>> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Window {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// The number after which a reader reads on, and whether it must be told that something may be missing.
    fn enter(&mut self, window: u64, after: Option<Position>) -> (u64, bool) {
        self.readers += 1;
        match after {
            None => (self.last, false),
            Some(after) if after.window == window && after.number <= self.last => (after.number, false),
            Some(_) => (self.forgotten(), true),
        }
    }

    /// The number of the last message that is no longer kept.
    fn forgotten(&self) -> u64 {
        self.last - self.entries.len() as u64
    }

    /// The number of the message; `None` if it is not kept, because nobody can come back to what is.
    fn push(&mut self, topic: &str, message: Message, limits: FeedLimits) -> Option<u64> {
        let bytes = topic.len() + message.bytes();
        self.entries.push_back(Entry { topic: topic.into(), message, bytes });
        (self.bytes, self.last) = (self.bytes + bytes, self.last + 1);
        while self.entries.len() > limits.messages_max.max(1)
            || (self.bytes > limits.bytes_max && self.entries.len() > 1)
        {
            self.bytes -= self.entries.pop_front().map_or(0, |entry| entry.bytes);
        }
        (self.readers > 0 || self.left_at >= self.forgotten()).then_some(self.last)
    }

    /// The messages after `number` whose topics are wanted, and the number of the last one looked at.
    fn after(&self, number: u64, patterns: &[TopicPattern]) -> (Vec<(u64, Message)>, u64) {
        let skipped = usize::try_from(number - self.forgotten()).unwrap_or(usize::MAX);
        let numbered = (number + 1..).zip(self.entries.iter().skip(skipped));
        let is_wanted = |topic: &str| patterns.iter().any(|pattern| pattern.matches(topic));
        let wanted = numbered.filter(|(_, entry)| is_wanted(&entry.topic));
        let taken: Vec<_> =
            wanted.map(|(number, entry)| (number, entry.message.clone())).take(TAKEN_MAX).collect();
        let last = if taken.len() == TAKEN_MAX { taken.last().map(|(number, _)| *number) } else { None };
        (taken, last.unwrap_or(self.last))
    }
}

/// What a reader hears.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// These messages, each with the position after it.
    Messages(Vec<(Position, Message)>),
    /// It has been too slow: so many messages are gone, though perhaps none on its topics.
    Missed(u64),
}

/// A reader of a tenant's messages. Dropping it ends that.
#[derive(Debug)]
pub struct Follower {
    feeds: Arc<Feeds>,
    tenant: TenantId,
    window: Arc<Window>,
    patterns: Vec<TopicPattern>,
    number: u64,
    news: watch::Receiver<u64>,
    is_reset: bool,
}

impl Follower {
    /// What comes next; waits for it.
    pub async fn next(&mut self) -> Heard {
        loop {
            self.news.mark_unchanged();
            if let Some(heard) = self.take() {
                return heard;
            }
            if self.news.changed().await.is_err() {
                // The window is gone, and with it everything that could be heard.
                std::future::pending::<()>().await;
            }
        }
    }

    fn take(&mut self) -> Option<Heard> {
        let kept = self.window.lock();
        let missed = kept.forgotten().saturating_sub(self.number);
        if missed > 0 {
            self.number += missed;
            return Some(Heard::Missed(missed));
        }
        let (taken, last) = kept.after(self.number, &self.patterns);
        self.number = last;
        let window = self.window.id;
        let messages: Vec<_> =
            taken.into_iter().map(|(number, message)| (Position { window, number }, message)).collect();
        (!messages.is_empty()).then_some(Heard::Messages(messages))
    }

    /// How far it has read.
    #[must_use]
    pub fn position(&self) -> Position {
        Position { window: self.window.id, number: self.number }
    }

    /// Whether it wanted to go on from a position that is not known any more: something may be missing.
    #[must_use]
    pub fn is_reset(&self) -> bool {
        self.is_reset
    }

    /// Whether the tenant's messages still come to it.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.feeds.lock().get(&self.tenant).is_some_and(|window| Arc::ptr_eq(window, &self.window))
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut kept = self.window.lock();
        kept.readers -= 1;
        kept.left_at = kept.last;
    }
}
