-- Times are TEXT: RFC 3339 in UTC with milliseconds, so that text order is time order.

CREATE TABLE tenants (
    id        TEXT NOT NULL PRIMARY KEY,
    createdAt TEXT NOT NULL
) STRICT;

CREATE TABLE presets (
    name        TEXT NOT NULL PRIMARY KEY,
    description TEXT NOT NULL,
    cron        TEXT NOT NULL
) STRICT;

CREATE TABLE plugins (
    tenant       TEXT NOT NULL REFERENCES tenants (id),
    name         TEXT NOT NULL,
    activeDigest TEXT NOT NULL,
    createdAt    TEXT NOT NULL,
    updatedAt    TEXT NOT NULL,
    PRIMARY KEY (tenant, name),
    FOREIGN KEY (tenant, name, activeDigest) REFERENCES plugin_versions (tenant, plugin, digest)
        DEFERRABLE INITIALLY DEFERRED
) STRICT, WITHOUT ROWID;

-- Versions of a plugin. The component's bytes come last, so that a listing does not read them.
CREATE TABLE plugin_versions (
    tenant    TEXT NOT NULL,
    plugin    TEXT NOT NULL,
    digest    TEXT NOT NULL,
    imports   TEXT NOT NULL,
    size      INTEGER NOT NULL,
    createdAt TEXT NOT NULL,
    component BLOB NOT NULL,
    PRIMARY KEY (tenant, plugin, digest),
    FOREIGN KEY (tenant, plugin) REFERENCES plugins (tenant, name) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED
) STRICT;

CREATE INDEX plugin_versions_by_digest ON plugin_versions (tenant, digest);

CREATE TABLE tasks (
    id           TEXT NOT NULL,
    name         TEXT,
    type         TEXT NOT NULL CHECK (type IN ('event', 'schedule')),
    preset       TEXT,
    cron         TEXT,
    at           TEXT,
    timezone     TEXT NOT NULL,
    nextRunAt    TEXT,
    lastRunAt    TEXT,
    attempts     INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    maxAttempts  INTEGER NOT NULL CHECK (maxAttempts >= 1),
    rateCount    INTEGER NOT NULL DEFAULT 0 CHECK (rateCount >= 0),
    rateWindow   TEXT,
    status       TEXT NOT NULL CHECK (status IN ('pending', 'running', 'paused')),
    isPaused     INTEGER NOT NULL CHECK (isPaused IN (0, 1)),
    metadata     TEXT,
    createdAt    TEXT NOT NULL,
    onEvent      TEXT,
    -- What the specification does not name comes after what it names.
    tenant       TEXT NOT NULL REFERENCES tenants (id),
    after        TEXT,
    plugin       TEXT NOT NULL,
    pluginDigest TEXT,
    retryPolicy  TEXT NOT NULL,
    rateLimit    TEXT,
    overlap      TEXT NOT NULL CHECK (overlap IN ('skip', 'queue', 'cancelPrevious', 'allow')),
    misfire      TEXT NOT NULL CHECK (misfire IN ('runOnce', 'skip', 'catchUp')),
    concurrency  INTEGER CHECK (concurrency >= 1),
    limits       TEXT,
    -- The last due time that was decided, as fired or as skipped. On a one-off it says that the task is spent.
    cursor       TEXT,
    PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, plugin) REFERENCES plugins (tenant, name),
    FOREIGN KEY (tenant, plugin, pluginDigest) REFERENCES plugin_versions (tenant, plugin, digest),
    CHECK ((type = 'event') = (onEvent IS NOT NULL)),
    CHECK (preset IS NULL OR cron IS NOT NULL),
    CHECK ((cron IS NOT NULL) + (at IS NOT NULL) + (after IS NOT NULL) + (onEvent IS NOT NULL) = 1)
) STRICT;

CREATE INDEX tasks_due ON tasks (nextRunAt) WHERE nextRunAt IS NOT NULL AND isPaused = 0;
CREATE INDEX tasks_by_plugin ON tasks (tenant, plugin, pluginDigest);
CREATE INDEX tasks_on_event ON tasks (tenant, id) WHERE onEvent IS NOT NULL;

CREATE TABLE events (
    tenant         TEXT NOT NULL REFERENCES tenants (id),
    id             TEXT NOT NULL,
    event          TEXT NOT NULL,
    data           TEXT,
    publishedAt    TEXT NOT NULL,
    hops           INTEGER NOT NULL DEFAULT 0 CHECK (hops >= 0),
    runs           INTEGER NOT NULL,
    -- The run whose handler published it; NULL if a client did.
    sourceRunId    TEXT,
    idempotencyKey TEXT,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX events_by_idempotency_key ON events (tenant, idempotencyKey) WHERE idempotencyKey IS NOT NULL;

-- The live queue: a row lives until its run ends.
CREATE TABLE runs (
    tenant         TEXT NOT NULL,
    id             TEXT NOT NULL,
    taskId         TEXT NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('queued', 'running')),
    trigger        TEXT NOT NULL CHECK (trigger IN ('schedule', 'event', 'manual')),
    eventId        TEXT,
    -- Event and data of a manual start; those of an event run stand in events.
    event          TEXT,
    data           TEXT,
    scheduledAt    TEXT,
    recordedAt     TEXT NOT NULL,
    readyAt        TEXT NOT NULL,
    attempt        INTEGER NOT NULL DEFAULT 1 CHECK (attempt >= 1),
    interruptions  INTEGER NOT NULL DEFAULT 0,
    requeues       INTEGER NOT NULL DEFAULT 0,
    hops           INTEGER NOT NULL DEFAULT 0,
    plugin         TEXT NOT NULL,
    pluginDigest   TEXT NOT NULL,
    firstStartedAt TEXT,
    executionId    TEXT,
    PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, taskId) REFERENCES tasks (tenant, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant, eventId) REFERENCES events (tenant, id),
    FOREIGN KEY (tenant, plugin, pluginDigest) REFERENCES plugin_versions (tenant, plugin, digest),
    CHECK ((state = 'running') = (executionId IS NOT NULL)),
    CHECK ((trigger = 'event') = (eventId IS NOT NULL)),
    CHECK (trigger <> 'schedule' OR scheduledAt IS NOT NULL)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX runs_by_task ON runs (tenant, taskId, scheduledAt, id);
-- Few of a task's runs have started, however many wait.
CREATE INDEX runs_started ON runs (tenant, taskId, state) WHERE firstStartedAt IS NOT NULL;
CREATE UNIQUE INDEX runs_once_per_due_time ON runs (tenant, taskId, scheduledAt) WHERE trigger = 'schedule';

CREATE TABLE task_executions (
    id           TEXT NOT NULL,
    taskId       TEXT NOT NULL,
    status       TEXT NOT NULL CHECK (status IN ('success', 'failed', 'running')),
    startedAt    TEXT NOT NULL,
    completedAt  TEXT,
    error        TEXT,
    attempt      INTEGER NOT NULL CHECK (attempt >= 1),
    -- What the specification does not name comes after what it names.
    tenant       TEXT NOT NULL REFERENCES tenants (id),
    runId        TEXT NOT NULL,
    kind         TEXT,
    trigger      TEXT NOT NULL CHECK (trigger IN ('schedule', 'event', 'manual')),
    event        TEXT,
    eventId      TEXT,
    scheduledAt  TEXT,
    output       TEXT,
    receipt      TEXT,
    plugin       TEXT NOT NULL,
    pluginDigest TEXT NOT NULL,
    PRIMARY KEY (tenant, id),
    CHECK ((status = 'running') = (completedAt IS NULL)),
    CHECK ((status = 'failed') = (kind IS NOT NULL)),
    CHECK ((kind IS NULL) = (error IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX task_executions_by_task ON task_executions (tenant, taskId, id);

CREATE TABLE logs (
    tenant      TEXT NOT NULL,
    executionId TEXT NOT NULL,
    line        INTEGER NOT NULL,
    at          TEXT NOT NULL,
    level       TEXT NOT NULL CHECK (level IN ('trace', 'debug', 'info', 'warn', 'error')),
    message     TEXT NOT NULL,
    PRIMARY KEY (tenant, executionId, line),
    FOREIGN KEY (tenant, executionId) REFERENCES task_executions (tenant, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE kv (
    tenant TEXT NOT NULL REFERENCES tenants (id),
    bucket TEXT NOT NULL,
    key    TEXT NOT NULL,
    value  BLOB NOT NULL,
    PRIMARY KEY (tenant, bucket, key)
) STRICT, WITHOUT ROWID;

-- What did not run, and why. A range of due times is one row.
CREATE TABLE skips (
    id         INTEGER PRIMARY KEY,
    tenant     TEXT NOT NULL REFERENCES tenants (id),
    taskId     TEXT NOT NULL,
    reason     TEXT NOT NULL CHECK (reason IN ('misfire', 'overlap', 'paused', 'rate_limited', 'quota', 'expired')),
    fromAt     TEXT NOT NULL,
    toAt       TEXT NOT NULL,
    count      INTEGER NOT NULL CHECK (count >= 1)
) STRICT;

CREATE INDEX skips_by_task ON skips (tenant, taskId, id);
