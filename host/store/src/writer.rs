//! The one writer: a thread that owns the write connection and commits commands by the group.
//!
//! All commands that wait, up to a bound, run in one `BEGIN IMMEDIATE` with a savepoint each, so that a refused one
//! leaves nothing and harms no other; they are committed once, and only then is each answered.

use std::thread;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::StoreError;

/// Commands per transaction at most: a bound on how long an answer takes and on the write-ahead log.
const GROUP_MAX: usize = 512;

/// Commands that may wait before senders wait too.
const QUEUE_MAX: usize = 4096;

/// Told how the commit went; answers whoever sent the command.
type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// Runs on the writer's thread; `Err` holds the answer of a refused command, whose changes are taken back.
type Command = Box<dyn FnOnce(&Connection) -> Result<Answer, Answer> + Send>;

/// The sending end. When the last one is dropped the thread finishes what waits and ends.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    commands: mpsc::Sender<Command>,
}

impl Writer {
    /// Starts the thread that owns `connection`.
    pub(crate) fn start(connection: Connection) -> Result<Self, StoreError> {
        let (commands, received) = mpsc::channel(QUEUE_MAX);
        let name = "innkeeper-writer".to_owned();
        thread::Builder::new()
            .name(name)
            .spawn(move || run(&connection, received))
            .map_err(|error| StoreError::Refused(format!("cannot start the writer thread: {error}")))?;
        Ok(Self { commands })
    }

    /// Runs `command` in a transaction and returns its answer after the commit.
    pub(crate) async fn submit<T: Send + 'static>(
        &self,
        command: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answered) = oneshot::channel();
        let boxed: Command = Box::new(move |connection| answer(command(connection), reply));
        self.commands.send(boxed).await.map_err(|_| StoreError::Stopped)?;
        answered.await.map_err(|_| StoreError::Stopped)?
    }

    /// Resolves when the thread has ended, which it does by itself only if a write could not be synced.
    pub(crate) async fn stopped(&self) {
        self.commands.closed().await;
    }
}

fn answer<T: Send + 'static>(
    result: Result<T, StoreError>,
    reply: oneshot::Sender<Result<T, StoreError>>,
) -> Result<Answer, Answer> {
    let refused = result.is_err();
    // A receiver that went away no longer wants to know.
    let answer: Answer =
        Box::new(move |commit| drop(reply.send(result.and_then(|value| commit.map(|()| value)))));
    if refused { Err(answer) } else { Ok(answer) }
}

fn run(connection: &Connection, mut received: mpsc::Receiver<Command>) {
    let mut group = Vec::with_capacity(GROUP_MAX);
    while received.blocking_recv_many(&mut group, GROUP_MAX) > 0 {
        let mut answers = Vec::with_capacity(group.len());
        let committed = run_group(connection, &mut group, &mut answers);
        let fatal = committed
            .as_ref()
            .err()
            .is_some_and(|error| !matches!(error, StoreError::Full | StoreError::Locked));
        if let Err(error) = &committed {
            tracing::error!(%error, fatal, commands = answers.len(), "store.commit failed");
            // The transaction may be over already; then there is nothing to take back.
            let _over = connection.execute_batch("ROLLBACK");
        }
        for answer in answers {
            answer(committed.clone());
        }
        if fatal {
            return;
        }
    }
}

fn run_group(
    connection: &Connection,
    group: &mut Vec<Command>,
    answers: &mut Vec<Answer>,
) -> Result<(), StoreError> {
    let begun = execute(connection, "BEGIN IMMEDIATE");
    for command in group.drain(..) {
        let saved = begun.clone().and_then(|()| execute(connection, "SAVEPOINT command"));
        let (answer, end) = match saved {
            Ok(()) => match command(connection) {
                Ok(answer) => (answer, execute(connection, "RELEASE command")),
                Err(answer) => (answer, take_back(connection)),
            },
            // Not run at all: dropping it tells its sender that the store has stopped.
            Err(error) => return Err(error),
        };
        answers.push(answer);
        end?;
    }
    begun?;
    execute(connection, "COMMIT")
}

fn take_back(connection: &Connection) -> Result<(), StoreError> {
    execute(connection, "ROLLBACK TO command")?;
    execute(connection, "RELEASE command")
}

fn execute(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}
