ALTER TABLE tenants ADD COLUMN status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disabled', 'deleting'));
ALTER TABLE tenants ADD COLUMN weight INTEGER NOT NULL DEFAULT 1 CHECK (weight BETWEEN 1 AND 100);
ALTER TABLE tenants ADD COLUMN timezone TEXT;
-- JSON, and NULL for what nobody has set.
ALTER TABLE tenants ADD COLUMN limits TEXT;
ALTER TABLE tenants ADD COLUMN quotas TEXT;

-- Of a token only the SHA-256 of its secret is kept.
CREATE TABLE tokens (
    tenant     TEXT NOT NULL REFERENCES tenants (id),
    id         TEXT NOT NULL,
    name       TEXT NOT NULL,
    role       TEXT NOT NULL CHECK (role IN ('reader', 'writer', 'admin')),
    digest     TEXT NOT NULL,
    createdAt  TEXT NOT NULL,
    expiresAt  TEXT,
    lastUsedAt TEXT,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

-- Those of the operator, who belongs to no tenant.
CREATE TABLE operator_tokens (
    id         TEXT NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL,
    digest     TEXT NOT NULL,
    createdAt  TEXT NOT NULL,
    expiresAt  TEXT,
    lastUsedAt TEXT
) STRICT, WITHOUT ROWID;

-- Plugin versions that ran when the host crashed. Few, and none on a host that does not crash.
CREATE TABLE suspects (
    tenant        TEXT NOT NULL,
    plugin        TEXT NOT NULL,
    digest        TEXT NOT NULL,
    crashes       INTEGER NOT NULL CHECK (crashes >= 1),
    quarantinedAt TEXT,
    PRIMARY KEY (tenant, plugin, digest),
    FOREIGN KEY (tenant, plugin, digest) REFERENCES plugin_versions (tenant, plugin, digest) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Why the host has paused a task; NULL if it is not paused, or somebody else did.
ALTER TABLE tasks ADD COLUMN pauseReason TEXT;
-- The due time of a task of a tenant that is disabled: it is not due meanwhile.
ALTER TABLE tasks ADD COLUMN heldRunAt TEXT;

CREATE INDEX tasks_held ON tasks (tenant, id) WHERE heldRunAt IS NOT NULL;

-- Who changed what through the API. Bounded: the oldest rows make room.
CREATE TABLE audit (
    tenant TEXT NOT NULL REFERENCES tenants (id),
    id     TEXT NOT NULL,
    at     TEXT NOT NULL,
    actor  TEXT NOT NULL,
    method TEXT NOT NULL,
    path   TEXT NOT NULL,
    status INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
