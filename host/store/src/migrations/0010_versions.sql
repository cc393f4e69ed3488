-- Whether the plugin has no active version yet: all that was uploaded was not to be activated. Then activeDigest names one of
-- its versions only for the reference to lead somewhere, and no task names the plugin without a version.
ALTER TABLE plugins ADD COLUMN isStaged INTEGER NOT NULL DEFAULT 0 CHECK (isStaged IN (0, 1));

-- What is known of a version beside plugin_versions, where everything must come before the component. Versions from before
-- this table was there have no row.
CREATE TABLE version_facts (
    tenant     TEXT NOT NULL,
    plugin     TEXT NOT NULL,
    digest     TEXT NOT NULL,
    handler    TEXT NOT NULL,
    uploadedBy TEXT,
    PRIMARY KEY (tenant, plugin, digest),
    FOREIGN KEY (tenant, plugin, digest) REFERENCES plugin_versions (tenant, plugin, digest) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Uploads that were answered before they were done, the latest of each version. Bounded: the oldest of a tenant make room.
CREATE TABLE uploads (
    tenant    TEXT NOT NULL REFERENCES tenants (id),
    plugin    TEXT NOT NULL,
    digest    TEXT NOT NULL,
    -- Which upload of the version it is.
    id        TEXT NOT NULL,
    startedAt TEXT NOT NULL,
    endedAt   TEXT,
    -- What it would have been answered with; NULL while it goes on, and if the host stopped before it was done.
    status    INTEGER,
    answer    TEXT,
    PRIMARY KEY (tenant, plugin, digest),
    CHECK ((status IS NULL) = (answer IS NULL)),
    CHECK (status IS NULL OR endedAt IS NOT NULL)
) STRICT, WITHOUT ROWID;

CREATE INDEX uploads_by_age ON uploads (tenant, id);
