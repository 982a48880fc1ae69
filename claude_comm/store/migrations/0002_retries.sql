-- A delivery may be `retrying`: it failed, or was redriven, and will be handed out again. SQLite cannot change a CHECK.

CREATE TABLE deliveries_with_retries (
    number INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    message_id TEXT NOT NULL,
    consumer TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('handled', 'retrying', 'buried')),
    attempts INTEGER NOT NULL,
    sent_us INTEGER NOT NULL,
    settled_us INTEGER NOT NULL,
    reason TEXT NOT NULL,
    path TEXT NOT NULL,
    burials INTEGER NOT NULL
);
INSERT INTO deliveries_with_retries
    (number, source, message_id, consumer, status, attempts, sent_us, settled_us, reason, path, burials)
    SELECT number, source, message_id, consumer, status, attempts, sent_us, settled_us, reason, path, burials
    FROM deliveries;
DROP TABLE deliveries;
ALTER TABLE deliveries_with_retries RENAME TO deliveries;
CREATE UNIQUE INDEX deliveries_by_id ON deliveries (message_id, source, consumer);
CREATE INDEX deliveries_by_consumer ON deliveries (consumer, source);
