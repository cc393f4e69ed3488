//! Many readers: short, read-only queries beside the writer.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;

use crate::StoreError;
use crate::connection::open_reader;
use crate::writer::{Urgency, Writer};

/// Connections kept open while nobody reads.
const IDLE_MAX: usize = 8;

/// Where reads go.
#[derive(Debug, Clone)]
pub(crate) enum Readers {
    /// To read-only connections of their own.
    Pool(Arc<Pool>),
    /// To the writer's connection, in turn with the writes: a database in memory has no other.
    Shared(Writer),
}

#[derive(Debug)]
pub(crate) struct Pool {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(crate) fn pool(path: PathBuf) -> Self {
        Self::Pool(Arc::new(Pool { path, idle: Mutex::default() }))
    }

    /// Runs `query` on a connection that sees everything committed so far.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        match self {
            Self::Shared(writer) => {
                writer.submit(Urgency::Urgent(1), move |connection| query(connection)).await
            }
            Self::Pool(pool) => {
                let pool = Arc::clone(pool);
                let done = tokio::task::spawn_blocking(move || pool.read(query)).await;
                done.unwrap_or(Err(StoreError::Stopped))
            }
        }
    }
}

impl Pool {
    fn read<T>(&self, query: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => open_reader(&self.path)?,
        };
        let result = query(&connection);
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX {
            idle.push(connection);
        }
        result
    }
}
