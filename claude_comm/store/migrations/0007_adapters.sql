-- Adapters that consumers applied, by their digests, and the deliveries that they were applied to: messages are kept as
-- they were sent.
CREATE TABLE adapters (
    digest TEXT PRIMARY KEY,
    steps TEXT NOT NULL
);
CREATE TABLE adapted (
    message_id TEXT NOT NULL,
    source TEXT NOT NULL,
    consumer TEXT NOT NULL,
    adapter TEXT NOT NULL,
    PRIMARY KEY (message_id, source, consumer)
) WITHOUT ROWID;
