-- What a plugin may use and reach, whatever its version; JSON, and NULL for what nobody has said.
ALTER TABLE plugins ADD COLUMN limits TEXT;
ALTER TABLE plugins ADD COLUMN grants TEXT;
