-- The projection. Three tables are public (session_stats, file_operations, module_communications): their times are
-- ISO 8601 text in UTC with microseconds, `2026-01-31T09:30:00.000000+00:00`, so that text order is time order.
-- In all others a time is an integer `..._us`, microseconds since the epoch.
-- "No session" is the empty text, as in the envelope.

CREATE TABLE session_stats (
    session_id TEXT PRIMARY KEY NOT NULL,
    files_processed INTEGER NOT NULL DEFAULT 0,
    errors_encountered INTEGER NOT NULL DEFAULT 0,
    bytes_processed INTEGER NOT NULL DEFAULT 0,
    modules_active TEXT NOT NULL DEFAULT '[]',
    start_time TEXT,
    end_time TEXT,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000+00:00')
);

CREATE TABLE file_operations (
    id INTEGER PRIMARY KEY,
    session_id TEXT NOT NULL,
    operation_type TEXT NOT NULL,
    file_path TEXT NOT NULL,
    status TEXT NOT NULL,
    details TEXT NOT NULL DEFAULT '{}',
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000+00:00')
);
CREATE INDEX file_operations_by_session ON file_operations (session_id, created_at);

-- One row a message (status sent, then handled or failed), and whatever `track_module_communication` adds.
CREATE TABLE module_communications (
    id INTEGER PRIMARY KEY,
    session_id TEXT NOT NULL,
    source_module TEXT NOT NULL,
    target_module TEXT NOT NULL,
    message_type TEXT NOT NULL,
    status TEXT NOT NULL,
    metrics TEXT NOT NULL DEFAULT '{}',
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000+00:00')
);
CREATE INDEX module_communications_by_session ON module_communications (session_id) WHERE session_id != '';

-- `number` is what `list` shows and `show` takes; AUTOINCREMENT, so that no number ever names a second message.
-- `communication` is the message's row in module_communications.
CREATE TABLE messages (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL,
    message_id TEXT NOT NULL,
    target TEXT NOT NULL,
    type TEXT NOT NULL,
    session TEXT NOT NULL,
    time_us INTEGER NOT NULL,
    agreement TEXT NOT NULL,
    correlation TEXT NOT NULL,
    causation TEXT NOT NULL,
    reply_to TEXT NOT NULL,
    content_type TEXT NOT NULL,
    headers TEXT NOT NULL,
    traceparent TEXT NOT NULL,
    stream TEXT NOT NULL,
    entry_id TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    data BLOB NOT NULL,
    communication INTEGER NOT NULL
);
-- The id first: ids are made in time order, so inserts append, and a prefix of one is a range.
CREATE UNIQUE INDEX messages_by_id ON messages (message_id, source);
CREATE INDEX messages_by_target ON messages (target);
CREATE INDEX messages_by_source ON messages (source);
CREATE INDEX messages_by_session ON messages (session) WHERE session != '';

-- Every event folded so far; what an event adds up to is added when its row is, and so once.
CREATE TABLE events (
    number INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    event_id TEXT NOT NULL,
    module TEXT NOT NULL,
    kind TEXT NOT NULL,
    session TEXT NOT NULL,
    time_us INTEGER NOT NULL,
    stream TEXT NOT NULL,
    entry_id TEXT NOT NULL,
    data BLOB NOT NULL
);
CREATE UNIQUE INDEX events_by_id ON events (event_id, source);

-- The latest outcome of a delivery. It may be known before its message is: they travel on different streams.
CREATE TABLE deliveries (
    number INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    message_id TEXT NOT NULL,
    consumer TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('handled', 'buried')),
    attempts INTEGER NOT NULL,
    sent_us INTEGER NOT NULL,
    settled_us INTEGER NOT NULL,
    reason TEXT NOT NULL,
    path TEXT NOT NULL,
    burials INTEGER NOT NULL
);
CREATE UNIQUE INDEX deliveries_by_id ON deliveries (message_id, source, consumer);
CREATE INDEX deliveries_by_consumer ON deliveries (consumer, source);

CREATE TABLE progress (
    module TEXT NOT NULL,
    task TEXT NOT NULL,
    completed REAL NOT NULL,
    total REAL NOT NULL,
    session TEXT NOT NULL,
    time_us INTEGER NOT NULL,
    PRIMARY KEY (module, task)
);

-- Entries that could not be read: where they are, why, and how they begin.
CREATE TABLE unreadable (
    number INTEGER PRIMARY KEY,
    stream TEXT NOT NULL,
    entry_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    prefix BLOB NOT NULL,
    UNIQUE (stream, entry_id, prefix)
);

-- How far each stream is folded. `epoch` counts the times that its ids moved backwards (a server restored or
-- flushed); `entries` is the position in terms of the stream's own count of entries ever added.
CREATE TABLE checkpoints (
    stream TEXT PRIMARY KEY NOT NULL,
    epoch INTEGER NOT NULL,
    entry_id TEXT NOT NULL,
    entries INTEGER NOT NULL
);
