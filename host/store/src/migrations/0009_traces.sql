-- What led to it, as W3C Trace Context: the value of `traceparent` and, after a space, that of `tracestate`. NULL if nobody said:
-- then the trace begins with the run, and has its id. A run that an event made has its event's.
ALTER TABLE events ADD COLUMN trace TEXT;
ALTER TABLE runs ADD COLUMN trace TEXT;
-- The trace of its run, if that did not begin with it.
ALTER TABLE task_executions ADD COLUMN traceId TEXT;
