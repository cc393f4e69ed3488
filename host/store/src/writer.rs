//! The one writer: a thread that owns the write connection and commits commands by the group.
//!
//! Commands that wait, up to a bound and the urgent ones first, run in one `BEGIN IMMEDIATE` with a savepoint each, so that a refused one
//! leaves nothing and harms no other; they are committed once, and only then is each answered.

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::ops::Deref;
use std::sync::Arc;
use std::thread;

use innkeeper_model::id::{TaskId, TenantId};
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::StoreError;
use crate::figures::{Measures, Tally};
use crate::room::Room;
use crate::settle::show_state;

/// Commands that can wait, per transaction at most: a bound on how long an answer takes and on the write-ahead log.
const GROUP_MAX: usize = 512;

/// Runs that urgent commands of one transaction are about, if there is more than one of them: what is due at once starts by
/// and by, and not when the last of it is stored.
const URGENT_RUNS_MAX: usize = 512;

/// Commands that may wait before senders wait too.
const QUEUE_MAX: usize = 4096;

/// Commands that can wait are taken along in a group of urgent ones, so that they are not put off for ever; so many.
const TAKEN_ALONG: usize = 32;

/// Whether a command goes before others. What starts an execution does; what ends one can wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// It starts so many executions.
    Urgent(usize),
    Ordinary,
}

/// A command on its way.
trait Job: Send {
    /// Runs the command; on an error its changes are to be taken back.
    fn run(&mut self, transaction: &Transaction<'_>) -> Result<(), StoreError>;

    /// Whether it failed because the disk is full.
    fn was_full(&self) -> bool;

    /// Tells whoever sent it what came of it, given what came of its group.
    fn answer(self: Box<Self>, group: Result<(), StoreError>);
}

/// A command, what it gave, and who wants to know.
struct Submission<C, T> {
    command: Option<C>,
    result: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<C, T> Job for Submission<C, T>
where
    C: FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send,
    T: Send,
{
    fn run(&mut self, transaction: &Transaction<'_>) -> Result<(), StoreError> {
        let Some(command) = self.command.take() else { return Ok(()) };
        let result = command(transaction);
        let ended = result.as_ref().map(|_| ()).map_err(StoreError::clone);
        self.result = Some(result);
        ended
    }

    fn was_full(&self) -> bool {
        matches!(self.result, Some(Err(StoreError::Full)))
    }

    fn answer(self: Box<Self>, group: Result<(), StoreError>) {
        let answer = match (self.result, group) {
            (Some(Err(refused)), _) => Err(refused),
            (_, Err(error)) => Err(error),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(StoreError::Stopped),
        };
        // A receiver that went away no longer wants to know.
        drop(self.reply.send(answer));
    }
}

/// The transaction of a group.
pub(crate) struct Transaction<'a> {
    connection: &'a Connection,
    changed_tasks: RefCell<BTreeSet<(TenantId, TaskId)>>,
}

impl Transaction<'_> {
    /// Notes that a task's columns no longer follow from its runs. They are made to, once, before the commit. It is no
    /// one-off: those are looked at when their run ends.
    pub(crate) fn refresh_later(&self, tenant: &TenantId, task: &TaskId) {
        self.changed_tasks.borrow_mut().insert((tenant.clone(), task.clone()));
    }

    fn refresh(&self) -> Result<(), StoreError> {
        for (tenant, task) in self.changed_tasks.take() {
            show_state(self.connection, &tenant, &task)?;
        }
        Ok(())
    }
}

impl Deref for Transaction<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

/// The sending end. When the last one is dropped the thread finishes what waits and ends.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    commands: mpsc::Sender<(Urgency, Box<dyn Job>)>,
}

impl Writer {
    /// Starts the thread that owns `connection`.
    pub(crate) fn start(
        connection: Connection,
        measures: Arc<Measures>,
        room: Arc<Room>,
    ) -> Result<Self, StoreError> {
        let (commands, received) = mpsc::channel(QUEUE_MAX);
        let name = "innkeeper-writer".to_owned();
        thread::Builder::new()
            .name(name)
            .spawn(move || run(&connection, received, &measures, &room))
            .map_err(|error| StoreError::Refused(format!("cannot start the writer thread: {error}")))?;
        Ok(Self { commands })
    }

    /// Runs `command` in a transaction and returns its answer after the commit.
    pub(crate) async fn submit<T: Send + 'static>(
        &self,
        urgency: Urgency,
        command: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answered) = oneshot::channel();
        let job = Submission { command: Some(command), result: None, reply };
        self.commands.send((urgency, Box::new(job))).await.map_err(|_| StoreError::Stopped)?;
        answered.await.map_err(|_| StoreError::Stopped)?
    }

    /// Resolves when the thread has ended, which it does by itself only if a write could not be synced.
    pub(crate) async fn stopped(&self) {
        self.commands.closed().await;
    }
}

/// What the writer has received and not run yet.
#[derive(Default)]
struct Backlog {
    urgent: VecDeque<(usize, Box<dyn Job>)>,
    ordinary: VecDeque<Box<dyn Job>>,
    received: Vec<(Urgency, Box<dyn Job>)>,
}

impl Backlog {
    /// Takes in what waits; waits itself only if there is nothing to do. `false` once there will never be anything more.
    fn fill(&mut self, commands: &mut mpsc::Receiver<(Urgency, Box<dyn Job>)>) -> bool {
        let is_idle = self.urgent.is_empty() && self.ordinary.is_empty();
        if is_idle && commands.blocking_recv_many(&mut self.received, GROUP_MAX) == 0 {
            return false;
        }
        while self.ordinary.len() + self.received.len() < QUEUE_MAX {
            let Ok(command) = commands.try_recv() else { break };
            self.received.push(command);
        }
        for (urgency, job) in self.received.drain(..) {
            match urgency {
                Urgency::Urgent(runs) => self.urgent.push_back((runs, job)),
                Urgency::Ordinary => self.ordinary.push_back(job),
            }
        }
        true
    }

    /// The next group: the urgent ones first.
    fn group(&mut self) -> Vec<Box<dyn Job>> {
        let mut group = Vec::new();
        let mut room_for_runs = URGENT_RUNS_MAX;
        while let Some(&(runs, _)) = self.urgent.front()
            && (group.is_empty() || runs <= room_for_runs)
        {
            let Some((runs, job)) = self.urgent.pop_front() else { break };
            room_for_runs = room_for_runs.saturating_sub(runs.max(1));
            group.push(job);
        }
        let room = if group.is_empty() { GROUP_MAX } else { TAKEN_ALONG };
        group.extend(self.ordinary.drain(..self.ordinary.len().min(room)));
        group
    }
}

fn run(
    connection: &Connection,
    mut commands: mpsc::Receiver<(Urgency, Box<dyn Job>)>,
    measures: &Measures,
    room: &Room,
) {
    let mut backlog = Backlog::default();
    while backlog.fill(&mut commands) {
        let mut group = backlog.group();
        let committed = measured(measures, group.len(), || run_group(connection, &mut group));
        let was_full = matches!(committed, Err(StoreError::Full)) || group.iter().any(|job| job.was_full());
        let is_broken = matches!(committed, Err(StoreError::Broken(_)));
        if let Err(error) = &committed {
            tracing::error!(%error, is_broken, commands = group.len(), "store.commit failed");
            // The transaction may be over already; then there is nothing to take back.
            let _over = connection.execute_batch("ROLLBACK");
        }
        if was_full {
            room.release();
        }
        for job in group {
            job.answer(committed.clone());
        }
        if is_broken {
            return;
        }
    }
}

/// Runs a group and counts what it did.
fn measured(
    measures: &Measures,
    commands: usize,
    run: impl FnOnce() -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    #[expect(clippy::disallowed_methods, reason = "how long a commit takes is measured, not decided upon")]
    let started = std::time::Instant::now();
    let committed = run();
    measures.commits.record_duration(started.elapsed());
    measures.group_sizes.record(commands as u64);
    let tally = Tally::take();
    match committed {
        Ok(()) => measures.add(tally),
        Err(_) => measures.failures.increment(),
    }
    committed
}

fn run_group(connection: &Connection, group: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
    execute(connection, "BEGIN IMMEDIATE")?;
    let transaction = Transaction { connection, changed_tasks: RefCell::default() };
    for job in group {
        execute(connection, "SAVEPOINT command")?;
        let tally = Tally::current();
        if let Err(refused) = job.run(&transaction) {
            // A full disk, for one, ends the whole transaction; what ran before is gone with it.
            if connection.is_autocommit() || matches!(refused, StoreError::Broken(_)) {
                return Err(refused);
            }
            execute(connection, "ROLLBACK TO command")?;
            tally.restore();
        }
        execute(connection, "RELEASE command")?;
    }
    transaction.refresh()?;
    execute(connection, "COMMIT")
}

fn execute(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}
