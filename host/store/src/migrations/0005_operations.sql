-- What does not happen is told too: a task may be expected to succeed within a time, and name an event for its failures.
-- Durations are milliseconds.
ALTER TABLE tasks ADD COLUMN expectWithin INTEGER CHECK (expectWithin >= 1);
ALTER TABLE tasks ADD COLUMN onFailure TEXT;
-- From when on a success is expected: when the task was created, defined anew or resumed.
ALTER TABLE tasks ADD COLUMN expectFrom TEXT;
-- When it is looked next whether it came.
ALTER TABLE tasks ADD COLUMN expectCheckAt TEXT;
-- Since when it is late, once that has been told; NULL while it is not.
ALTER TABLE tasks ADD COLUMN overdueSince TEXT;

CREATE INDEX tasks_expected ON tasks (expectCheckAt) WHERE expectCheckAt IS NOT NULL AND isPaused = 0;
