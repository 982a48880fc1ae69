-- What was last told of a module's instances: by it a task is known to be left by a process that is no more.
CREATE TABLE lives (
    module TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    time_us INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX progress_running ON progress (module, time_us) WHERE state = 'running';
