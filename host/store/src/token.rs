//! The tables `tokens` and `operator_tokens`: only digests of secrets are in them.

use innkeeper_model::access::Role;
use innkeeper_model::id::{Digest, TenantId, TokenId};
use innkeeper_model::time::Timestamp;
use rusqlite::{Connection, Row, params};

use crate::value::Columns as _;
use crate::{Store, StoreError};

/// A token, without the secret that it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its name for the API; not the secret.
    pub id: TokenId,
    /// Whose it is; `None` is the operator's.
    pub tenant: Option<TenantId>,
    /// What it is for, in words.
    pub name: String,
    /// What its bearer may do.
    pub role: Role,
    /// The SHA-256 of its secret.
    pub digest: Digest,
    /// When it was created, or its secret last changed.
    pub created_at: Timestamp,
    /// From when on it is no longer good; `None` is never.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, within minutes; `None` is never.
    pub last_used_at: Option<Timestamp>,
}

impl Store {
    /// Every token of every tenant and of the operator.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn tokens(&self) -> Result<Vec<Token>, StoreError> {
        self.read(|connection| {
            let sql = "SELECT tenant, id, name, role, digest, createdAt, expiresAt, lastUsedAt FROM tokens
                UNION ALL SELECT NULL, id, name, 'operator', digest, createdAt, expiresAt, lastUsedAt
                FROM operator_tokens";
            let mut statement = connection.prepare_cached(sql)?;
            Ok(statement.query_map([], read)?.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Stores a token, in place of the one with its id if there is one.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn put_token(&self, token: Token) -> Result<(), StoreError> {
        self.write(move |connection| put(connection, &token)).await
    }

    /// Deletes a token. `false` if there is none.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn delete_token(&self, tenant: Option<&TenantId>, id: TokenId) -> Result<bool, StoreError> {
        let tenant = tenant.cloned();
        self.write(move |connection| {
            let deleted = match tenant {
                Some(tenant) => connection
                    .prepare_cached("DELETE FROM tokens WHERE tenant = ?1 AND id = ?2")?
                    .execute((tenant.as_str(), id.to_string()))?,
                None => connection
                    .prepare_cached("DELETE FROM operator_tokens WHERE id = ?1")?
                    .execute([id.to_string()])?,
            };
            Ok(deleted == 1)
        })
        .await
    }

    /// Notes that a token was used.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn note_token_use(
        &self,
        tenant: Option<&TenantId>,
        id: TokenId,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let tenant = tenant.cloned();
        self.write(move |connection| {
            let (id, at) = (id.to_string(), at.to_string());
            match tenant {
                Some(tenant) => connection
                    .prepare_cached("UPDATE tokens SET lastUsedAt = ?3 WHERE tenant = ?1 AND id = ?2")?
                    .execute((tenant.as_str(), id, at))?,
                None => connection
                    .prepare_cached("UPDATE operator_tokens SET lastUsedAt = ?2 WHERE id = ?1")?
                    .execute((id, at))?,
            };
            Ok(())
        })
        .await
    }
}

fn put(connection: &Connection, token: &Token) -> Result<(), StoreError> {
    let (id, digest) = (token.id.to_string(), token.digest.to_string());
    let (created, expires) = (token.created_at.to_string(), token.expires_at.map(|at| at.to_string()));
    if let Some(tenant) = &token.tenant {
        let sql = "INSERT INTO tokens (tenant, id, name, role, digest, createdAt, expiresAt)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (tenant, id)
            DO UPDATE SET digest = ?5, createdAt = ?6, expiresAt = ?7, lastUsedAt = NULL";
        let values = params![tenant.as_str(), id, token.name, token.role.as_str(), digest, created, expires];
        connection.prepare_cached(sql)?.execute(values)?;
    } else {
        let sql = "INSERT INTO operator_tokens (id, name, digest, createdAt, expiresAt)
            VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (id)
            DO UPDATE SET digest = ?3, createdAt = ?4, expiresAt = ?5, lastUsedAt = NULL";
        connection.prepare_cached(sql)?.execute(params![id, token.name, digest, created, expires])?;
    }
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<Token> {
    Ok(Token {
        tenant: row.parsed_option("tenant")?,
        id: row.parsed("id")?,
        name: row.plain("name")?,
        role: row.parsed("role")?,
        digest: row.parsed("digest")?,
        created_at: row.parsed("createdAt")?,
        expires_at: row.parsed_option("expiresAt")?,
        last_used_at: row.parsed_option("lastUsedAt")?,
    })
}
