-- A list of three and more in a CHECK has SQLite build a table of it for every row that is written; comparisons cost
-- nothing. The rule stays the same, so no row has to be looked at or written anew.
PRAGMA writable_schema = ON;

UPDATE sqlite_schema SET sql = replace(sql, '(status IN (''pending'', ''running'', ''paused''))',
    '(status = ''pending'' OR status = ''running'' OR status = ''paused'')') WHERE type = 'table' AND name = 'tasks';
UPDATE sqlite_schema SET sql = replace(sql, '(overlap IN (''skip'', ''queue'', ''cancelPrevious'', ''allow''))',
    '(overlap = ''skip'' OR overlap = ''queue'' OR overlap = ''cancelPrevious'' OR overlap = ''allow'')')
    WHERE type = 'table' AND name = 'tasks';
UPDATE sqlite_schema SET sql = replace(sql, '(misfire IN (''runOnce'', ''skip'', ''catchUp''))',
    '(misfire = ''runOnce'' OR misfire = ''skip'' OR misfire = ''catchUp'')') WHERE type = 'table' AND name = 'tasks';
UPDATE sqlite_schema SET sql = replace(sql, '(trigger IN (''schedule'', ''event'', ''manual''))',
    '(trigger = ''schedule'' OR trigger = ''event'' OR trigger = ''manual'')')
    WHERE type = 'table' AND name IN ('runs', 'task_executions');
UPDATE sqlite_schema SET sql = replace(sql, '(status IN (''success'', ''failed'', ''running''))',
    '(status = ''success'' OR status = ''failed'' OR status = ''running'')')
    WHERE type = 'table' AND name = 'task_executions';
UPDATE sqlite_schema SET sql = replace(sql, '(level IN (''trace'', ''debug'', ''info'', ''warn'', ''error''))',
    '(level = ''trace'' OR level = ''debug'' OR level = ''info'' OR level = ''warn'' OR level = ''error'')')
    WHERE type = 'table' AND name = 'logs';

PRAGMA writable_schema = RESET;
