-- Entries that a newer release wrote, whole: an upgraded program reads them from here, also when they have been trimmed
-- from their streams. `needs` is what a program must know to read one, such as `wire 2` or `event paused`.
CREATE TABLE newer (
    number INTEGER PRIMARY KEY,
    stream TEXT NOT NULL,
    entry_id TEXT NOT NULL,
    needs TEXT NOT NULL,
    digest TEXT NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (stream, entry_id, digest)
);
CREATE INDEX newer_by_needs ON newer (needs);

ALTER TABLE tallies RENAME TO counters;

-- Messages are listed by time. These serve every filter of `list` in that order.
DROP INDEX messages_by_target;
DROP INDEX messages_by_source;
DROP INDEX messages_by_session;
CREATE INDEX messages_by_time ON messages (time_us);
CREATE INDEX messages_by_target ON messages (target, time_us);
CREATE INDEX messages_by_source ON messages (source, time_us);
CREATE INDEX messages_by_session ON messages (session, time_us) WHERE session != '';
