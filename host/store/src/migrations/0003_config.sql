-- Configuration and secrets of a tenant. A secret is stored encrypted only; its tenant and key are bound to the ciphertext.
CREATE TABLE config (
    tenant     TEXT NOT NULL REFERENCES tenants (id),
    key        TEXT NOT NULL,
    isSecret   INTEGER NOT NULL CHECK (isSecret IN (0, 1)),
    value      TEXT,
    ciphertext BLOB,
    updatedAt  TEXT NOT NULL,
    PRIMARY KEY (tenant, key),
    CHECK (isSecret = (ciphertext IS NOT NULL)),
    CHECK (isSecret = (value IS NULL))
) STRICT, WITHOUT ROWID;

-- How often the run was attempted again because of a conflict, without using up an attempt.
ALTER TABLE runs ADD COLUMN conflicts INTEGER NOT NULL DEFAULT 0;
