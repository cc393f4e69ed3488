//! Tenants.

use innkeeper_model::id::TenantId;
use innkeeper_model::time::Timestamp;
use rusqlite::{Connection, params};

use crate::StoreError;

/// The tenant of a host that serves only one is part of every database.
pub(crate) fn ensure_default(connection: &Connection) -> Result<(), StoreError> {
    let epoch = Timestamp::default().to_string();
    let sql = "INSERT INTO tenants (id, createdAt) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    connection.execute(sql, params![TenantId::default_tenant().as_str(), epoch])?;
    Ok(())
}
