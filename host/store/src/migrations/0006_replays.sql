-- Runs that ended as failed, with what it takes to run them again. A row goes with its execution.
CREATE TABLE dead_runs (
    tenant      TEXT NOT NULL,
    -- The run's last execution.
    executionId TEXT NOT NULL,
    runId       TEXT NOT NULL,
    taskId      TEXT NOT NULL,
    plugin      TEXT NOT NULL,
    kind        TEXT NOT NULL,
    endedAt     TEXT NOT NULL,
    hops        INTEGER NOT NULL CHECK (hops >= 0),
    scheduledAt TEXT,
    eventId     TEXT,
    -- Event and data of a manual start; those of an event run stand in events.
    event       TEXT,
    data        TEXT,
    -- The run that repeats it.
    replayedBy  TEXT,
    PRIMARY KEY (tenant, executionId),
    FOREIGN KEY (tenant, executionId) REFERENCES task_executions (tenant, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX dead_runs_by_task ON dead_runs (tenant, taskId, executionId);
CREATE INDEX dead_runs_by_replay ON dead_runs (tenant, replayedBy) WHERE replayedBy IS NOT NULL;

-- The runs that have ended before this table was there. What a manual start was given is not known any more.
INSERT INTO dead_runs (tenant, executionId, runId, taskId, plugin, kind, endedAt, hops, scheduledAt, eventId)
    SELECT x.tenant, x.id, x.runId, x.taskId, x.plugin, x.kind, x.completedAt, 0, x.scheduledAt, x.eventId
    FROM task_executions x
    WHERE x.status = 'failed' AND x.trigger <> 'manual'
        AND (x.tenant, x.id) IN (SELECT tenant, max(id) FROM task_executions GROUP BY tenant, runId)
        AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.tenant = x.tenant AND r.id = x.runId);

-- Manual starts that may be repeated without starting twice.
CREATE TABLE run_keys (
    tenant     TEXT NOT NULL,
    taskId     TEXT NOT NULL,
    key        TEXT NOT NULL,
    runId      TEXT NOT NULL,
    recordedAt TEXT NOT NULL,
    PRIMARY KEY (tenant, taskId, key),
    FOREIGN KEY (tenant, taskId) REFERENCES tasks (tenant, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX run_keys_by_age ON run_keys (tenant, recordedAt);

-- Counts the changes of a definition.
ALTER TABLE tasks ADD COLUMN revision INTEGER NOT NULL DEFAULT 1 CHECK (revision >= 1);
