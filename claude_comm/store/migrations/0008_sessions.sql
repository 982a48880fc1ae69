-- Who opened a session, and how it ended for each of them; `ended_us` is NULL while it is open.
CREATE TABLE session_members (
    session TEXT NOT NULL,
    module TEXT NOT NULL,
    instance TEXT NOT NULL,
    opened_us INTEGER NOT NULL,
    ended_us INTEGER,
    outcome TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (session, module, instance, opened_us)
) WITHOUT ROWID;
CREATE INDEX session_members_open ON session_members (opened_us) WHERE ended_us IS NULL;
-- Sessions are listed from the one that was active last.
CREATE INDEX sessions_by_activity ON session_stats (coalesce(end_time, start_time, created_at), session_id);
CREATE INDEX progress_by_session ON progress (session) WHERE session != '';

-- How fast a task goes, since when, which other one it is part of, and whether it has ended.
ALTER TABLE progress ADD COLUMN rate REAL NOT NULL DEFAULT 0;
ALTER TABLE progress ADD COLUMN started_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE progress ADD COLUMN parent TEXT NOT NULL DEFAULT '';
ALTER TABLE progress ADD COLUMN state TEXT NOT NULL DEFAULT 'running';
ALTER TABLE progress ADD COLUMN note TEXT NOT NULL DEFAULT '';
