-- Executions of a plugin at once, of all its tasks and versions together; NULL for what nobody has said.
ALTER TABLE plugins ADD COLUMN concurrency INTEGER CHECK (concurrency >= 1);
