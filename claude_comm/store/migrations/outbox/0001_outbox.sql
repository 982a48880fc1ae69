-- What a publisher has promised to send. `number` is the order in which it was promised; `entry_id` is where the message
-- is in its stream, as the server confirmed it, and empty until then. A row goes when the projection has its message.
CREATE TABLE outbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    stream TEXT NOT NULL,
    body BLOB NOT NULL,
    entry_id TEXT NOT NULL DEFAULT '',
    kept_us INTEGER NOT NULL
);
