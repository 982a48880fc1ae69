-- Deliveries that a module has had for more than a second: since when. What ends sooner has no row; by the message's id,
-- because the event may be stored before its message.
CREATE TABLE held (
    message_id BLOB NOT NULL,
    source INTEGER NOT NULL,
    consumer INTEGER NOT NULL,
    since_us INTEGER NOT NULL,
    PRIMARY KEY (message_id, source, consumer)
) WITHOUT ROWID;
