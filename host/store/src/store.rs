//! The store's handle. Its verbs stand in the files of the tables they concern.

use std::sync::Arc;

use rusqlite::Connection;

use crate::connection::{Durability, Location, open_writer};
use crate::figures::Measures;
use crate::readers::Readers;
use crate::room::Room;
use crate::writer::{Transaction, Urgency, Writer};
use crate::{StoreError, tenant};

/// A handle on the database; clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    writer: Writer,
    readers: Readers,
    location: Arc<Location>,
    measures: Arc<Measures>,
    room: Arc<Room>,
}

impl Store {
    /// Opens or creates the database and starts its writer. The tenant `default` exists afterwards.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if the file cannot be opened, belongs to another program or to a newer version.
    pub fn open(location: &Location, durability: Durability) -> Result<Self, StoreError> {
        let connection = open_writer(location, durability)?;
        tenant::ensure_default(&connection)?;
        let measures = Arc::new(Measures::default());
        let room = Arc::new(Room::default());
        let writer = Writer::start(connection, Arc::clone(&measures), Arc::clone(&room))?;
        let readers = match location {
            Location::Memory => Readers::Shared(writer.clone()),
            Location::File(path) => Readers::pool(path.clone()),
        };
        Ok(Self { writer, readers, location: Arc::new(location.clone()), measures, room })
    }

    /// Resolves when the store has stopped by itself: a write could not be synced, and nothing can be promised.
    pub async fn stopped(&self) {
        self.writer.stopped().await;
    }

    /// Where the database is.
    #[must_use]
    pub fn location(&self) -> &Location {
        &self.location
    }

    pub(crate) fn measures(&self) -> &Measures {
        &self.measures
    }

    pub(crate) fn room(&self) -> &Room {
        &self.room
    }

    pub(crate) async fn write<T: Send + 'static>(
        &self,
        command: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.writer.submit(Urgency::Ordinary, command).await
    }

    /// As [`Store::write`], before what can wait. The command starts up to `runs` executions.
    pub(crate) async fn write_urgently<T: Send + 'static>(
        &self,
        runs: usize,
        command: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.writer.submit(Urgency::Urgent(runs), command).await
    }

    pub(crate) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.readers.read(query).await
    }
}
