//! Deleting a tenant with everything it owns, in steps: whatever table has a column `tenant`, in the order in which
//! references allow it.

use std::collections::{BTreeMap, BTreeSet};

use innkeeper_model::id::TenantId;
use rusqlite::Connection;

use crate::{Store, StoreError, tenant};

impl Store {
    /// Deletes at most `limit` rows of a tenant that is being deleted, and the tenant itself once it has none. Returns
    /// whether it is gone.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn delete_tenant_step(&self, id: &TenantId, limit: u32) -> Result<bool, StoreError> {
        let id = id.clone();
        self.write(move |connection| step(connection, &id, limit)).await
    }
}

fn step(connection: &Connection, id: &TenantId, limit: u32) -> Result<bool, StoreError> {
    for table in order(&owned_tables(connection)?) {
        if table == "plugins" && delete_former_version(connection, id)? {
            return Ok(false);
        }
        // A plugin takes its component with it, and that may be large.
        let limit = if table == "plugins" { 1 } else { limit };
        let key = primary_key(connection, &table)?;
        let sql = format!(
            "DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE tenant = ?1 LIMIT ?2)"
        );
        if connection.execute(&sql, (id.as_str(), limit))? > 0 {
            return Ok(false);
        }
    }
    let sql = "DELETE FROM tenants WHERE id = ?1 AND status = 'deleting'";
    connection.execute(sql, [id.as_str()])?;
    Ok(tenant::find(connection, id)?.is_none())
}

/// Deletes a plugin version that is not active. Returns whether there was one.
fn delete_former_version(connection: &Connection, id: &TenantId) -> Result<bool, StoreError> {
    let sql = "DELETE FROM plugin_versions WHERE (tenant, plugin, digest) IN
        (SELECT v.tenant, v.plugin, v.digest FROM plugin_versions v JOIN plugins p
            ON p.tenant = v.tenant AND p.name = v.plugin AND p.activeDigest <> v.digest
            WHERE v.tenant = ?1 LIMIT 1)";
    Ok(connection.execute(sql, [id.as_str()])? > 0)
}

/// Tables that hold what belongs to tenants, each with the tables that it references and whether their rows take its own
/// with them.
fn owned_tables(connection: &Connection) -> Result<BTreeMap<String, Vec<(String, bool)>>, StoreError> {
    let sql = "SELECT m.name, f.\"table\", f.on_delete FROM sqlite_schema m
        JOIN pragma_table_info(m.name) c ON c.name = 'tenant'
        LEFT JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table' ORDER BY m.name";
    let mut statement = connection.prepare(sql)?;
    let mut tables: BTreeMap<String, Vec<(String, bool)>> = BTreeMap::new();
    let rows = statement.query_map([], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?, row.get::<_, Option<String>>(2)?))
    })?;
    for row in rows {
        let (table, references, on_delete) = row?;
        let references = references.map(|other| (other, on_delete.as_deref() == Some("CASCADE")));
        tables.entry(table).or_default().extend(references);
    }
    Ok(tables)
}

/// The order in which the tables can be emptied: a table comes after those that reference it. Where they reference each
/// other, the one whose rows take the other's with them comes first.
fn order(tables: &BTreeMap<String, Vec<(String, bool)>>) -> Vec<String> {
    let mut left: BTreeSet<&String> = tables.keys().collect();
    let mut ordered = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let is_referenced = |table: &String, also_cascading: bool| {
            left.iter().filter(|other| **other != table).any(|other| {
                tables[*other].iter().any(|(to, cascades)| to == table && (also_cascading || !cascades))
            })
        };
        let next = left
            .iter()
            .find(|table| !is_referenced(table, true))
            .or_else(|| left.iter().find(|table| !is_referenced(table, false)))
            .or_else(|| left.first())
            .copied();
        let Some(next) = next else { break };
        left.remove(next);
        ordered.push(next.clone());
    }
    ordered
}

fn primary_key(connection: &Connection, table: &str) -> Result<String, StoreError> {
    let sql = "SELECT group_concat(name, ', ') FROM pragma_table_info(?1) WHERE pk > 0";
    Ok(connection.query_row(sql, [table], |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::{Durability, Location, open_writer};

    #[test]
    fn a_table_is_emptied_after_those_that_reference_it() {
        let connection = open_writer(&Location::Memory, Durability::Full).expect("an open database");
        let order = order(&owned_tables(&connection).expect("tables"));
        let place = |table: &str| order.iter().position(|name| name == table).expect(table);
        for (first, then) in [
            ("runs", "tasks"),
            ("runs", "events"),
            ("tasks", "plugins"),
            ("plugins", "plugin_versions"),
            ("logs", "task_executions"),
            ("suspects", "plugin_versions"),
        ] {
            assert!(place(first) < place(then), "{first} before {then} in {order:?}");
        }
        assert!(
            ["kv", "skips", "tokens", "audit"].iter().all(|table| order.iter().any(|name| name == table))
        );
    }
}
