-- Messages, events and deliveries packed: names as numbers, ids in binary, and no second row a message. What was read as
-- a table before is a view of the same name and columns. `repack` moves the rows over, in this same transaction.
--
-- message_id, event_id, correlation, causation: the sixteen bytes of a UUID, or text where it is none. entry: milliseconds
-- times 2^20 plus sequence, or text where that does not fit. Empty text is what is not there.

CREATE TABLE names (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
INSERT INTO names (id, name) VALUES (0, '');

ALTER TABLE messages RENAME TO old_messages;
ALTER TABLE events RENAME TO old_events;
ALTER TABLE deliveries RENAME TO old_deliveries;
ALTER TABLE module_communications RENAME TO old_communications;
DROP INDEX messages_by_id;
DROP INDEX messages_by_time;
DROP INDEX messages_by_target;
DROP INDEX messages_by_source;
DROP INDEX messages_by_session;
DROP INDEX messages_by_correlation;
DROP INDEX messages_by_causation;
DROP INDEX events_by_id;
DROP INDEX deliveries_by_consumer;
DROP INDEX module_communications_by_session;

-- `number` is what `list` shows and `show` takes; AUTOINCREMENT, so that no number ever names a second message.
-- `digest` is the SHA-256 of a payload that was too large to be kept; its data is empty.
CREATE TABLE packed_messages (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id BLOB NOT NULL,
    source INTEGER NOT NULL,
    target INTEGER NOT NULL,
    type INTEGER NOT NULL,
    session INTEGER NOT NULL,
    time_us INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    entry BLOB NOT NULL,
    size_bytes INTEGER NOT NULL,
    agreement INTEGER NOT NULL,
    content_type INTEGER NOT NULL,
    correlation BLOB NOT NULL DEFAULT '',
    causation BLOB NOT NULL DEFAULT '',
    reply_to TEXT NOT NULL DEFAULT '',
    headers TEXT NOT NULL DEFAULT '',
    traceparent TEXT NOT NULL DEFAULT '',
    digest BLOB NOT NULL DEFAULT '',
    data BLOB NOT NULL
);
-- The id first: ids are made in time order, so inserts append, and the start of one is a range.
CREATE UNIQUE INDEX messages_by_id ON packed_messages (message_id, source);
CREATE INDEX messages_by_pair ON packed_messages (source, target, time_us);
CREATE INDEX messages_by_time ON packed_messages (time_us);
CREATE INDEX messages_by_session ON packed_messages (session, source, target, time_us) WHERE session != 0;
CREATE INDEX messages_by_correlation ON packed_messages (correlation) WHERE correlation != '';
CREATE INDEX messages_by_causation ON packed_messages (causation) WHERE causation != '';

-- Every event folded so far; what an event adds up to is added when its row is, and so once. `data` is empty where the
-- rows in packed_deliveries say all of it.
CREATE TABLE packed_events (
    number INTEGER PRIMARY KEY,
    event_id BLOB NOT NULL,
    source INTEGER NOT NULL,
    module INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    session INTEGER NOT NULL,
    time_us INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    entry BLOB NOT NULL,
    data BLOB NOT NULL
);
CREATE UNIQUE INDEX events_by_id ON packed_events (event_id, source);

-- The latest outcome of a delivery. status: 1 handled, 2 retrying, 3 buried, so that the greatest is the message's.
CREATE TABLE packed_deliveries (
    message INTEGER NOT NULL,
    consumer INTEGER NOT NULL,
    status INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    settled_us INTEGER NOT NULL,
    latency_us INTEGER NOT NULL,
    burials INTEGER NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT '',
    path TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (message, consumer)
) WITHOUT ROWID;
CREATE INDEX deliveries_not_handled ON packed_deliveries (status, message) WHERE status != 1;

-- Outcomes that were known before their message: the two travel on different streams.
CREATE TABLE early_deliveries (
    message_id BLOB NOT NULL,
    source INTEGER NOT NULL,
    consumer INTEGER NOT NULL,
    status INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    settled_us INTEGER NOT NULL,
    latency_us INTEGER NOT NULL,
    burials INTEGER NOT NULL,
    reason TEXT NOT NULL,
    path TEXT NOT NULL,
    PRIMARY KEY (message_id, source, consumer)
) WITHOUT ROWID;

-- Sums by session, source and target; session 0 is all messages, those without a session too. They are kept when
-- their rows are pruned. The first half counts messages by what they are addressed to (a module or a topic) and by the
-- worst that became of them; the second half counts deliveries by the module that had them.
CREATE TABLE traffic (
    session INTEGER NOT NULL,
    source INTEGER NOT NULL,
    target INTEGER NOT NULL,
    messages INTEGER NOT NULL DEFAULT 0,
    size_bytes INTEGER NOT NULL DEFAULT 0,
    first_us INTEGER,
    last_us INTEGER,
    messages_handled INTEGER NOT NULL DEFAULT 0,
    messages_retrying INTEGER NOT NULL DEFAULT 0,
    messages_failed INTEGER NOT NULL DEFAULT 0,
    handled INTEGER NOT NULL DEFAULT 0,
    retrying INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    from_topics INTEGER NOT NULL DEFAULT 0,
    latency_us INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (session, source, target)
) WITHOUT ROWID;

-- How long handled deliveries took, as a histogram: `bucket` has 32 steps to each doubling of the microseconds.
CREATE TABLE latencies (
    session INTEGER NOT NULL,
    source INTEGER NOT NULL,
    target INTEGER NOT NULL,
    bucket INTEGER NOT NULL,
    deliveries INTEGER NOT NULL,
    PRIMARY KEY (session, source, target, bucket)
) WITHOUT ROWID;

-- What `track_module_communication` adds. Its ids and the numbers of messages are one sequence.
CREATE TABLE tracked_communications (
    id INTEGER PRIMARY KEY,
    session_id TEXT NOT NULL,
    source_module TEXT NOT NULL,
    target_module TEXT NOT NULL,
    message_type TEXT NOT NULL,
    status TEXT NOT NULL,
    metrics TEXT NOT NULL DEFAULT '{}',
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000+00:00')
);
CREATE INDEX tracked_by_session ON tracked_communications (session_id);

-- What retention has removed so far, and up to which message.
CREATE TABLE pruned (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    messages INTEGER NOT NULL,
    events INTEGER NOT NULL,
    deliveries INTEGER NOT NULL,
    before_us INTEGER NOT NULL,
    last_event_us INTEGER NOT NULL
);
INSERT INTO pruned (id, messages, events, deliveries, before_us, last_event_us) VALUES (1, 0, 0, 0, 0, 0);

CREATE VIEW messages AS
SELECT
    m.number, s.name AS source,
    CASE typeof(m.message_id) WHEN 'blob' THEN lower(
        substr(hex(m.message_id), 1, 8) || '-' || substr(hex(m.message_id), 9, 4) || '-'
        || substr(hex(m.message_id), 13, 4) || '-' || substr(hex(m.message_id), 17, 4) || '-'
        || substr(hex(m.message_id), 21)) ELSE m.message_id END AS message_id,
    t.name AS target, k.name AS type, x.name AS session, m.time_us,
    (SELECT name FROM names WHERE id = m.agreement) AS agreement,
    CASE typeof(m.correlation) WHEN 'blob' THEN lower(
        substr(hex(m.correlation), 1, 8) || '-' || substr(hex(m.correlation), 9, 4) || '-'
        || substr(hex(m.correlation), 13, 4) || '-' || substr(hex(m.correlation), 17, 4) || '-'
        || substr(hex(m.correlation), 21)) ELSE m.correlation END AS correlation,
    CASE typeof(m.causation) WHEN 'blob' THEN lower(
        substr(hex(m.causation), 1, 8) || '-' || substr(hex(m.causation), 9, 4) || '-'
        || substr(hex(m.causation), 13, 4) || '-' || substr(hex(m.causation), 17, 4) || '-'
        || substr(hex(m.causation), 21)) ELSE m.causation END AS causation,
    m.reply_to,
    (SELECT name FROM names WHERE id = m.content_type) AS content_type,
    CASE m.headers WHEN '' THEN '{}' ELSE m.headers END AS headers,
    m.traceparent,
    (SELECT name FROM names WHERE id = m.stream) AS stream,
    CASE typeof(m.entry) WHEN 'integer' THEN (m.entry >> 20) || '-' || (m.entry & 1048575) ELSE m.entry END AS entry_id,
    m.size_bytes, m.data, lower(hex(m.digest)) AS digest,
    CASE (SELECT max(d.status) FROM packed_deliveries AS d WHERE d.message = m.number)
        WHEN 1 THEN 'handled' WHEN 2 THEN 'retrying' WHEN 3 THEN 'failed' ELSE 'sent' END AS status
FROM packed_messages AS m
JOIN names AS s ON s.id = m.source
JOIN names AS t ON t.id = m.target
JOIN names AS k ON k.id = m.type
JOIN names AS x ON x.id = m.session;

CREATE VIEW events AS
SELECT
    e.number, s.name AS source,
    CASE typeof(e.event_id) WHEN 'blob' THEN lower(
        substr(hex(e.event_id), 1, 8) || '-' || substr(hex(e.event_id), 9, 4) || '-'
        || substr(hex(e.event_id), 13, 4) || '-' || substr(hex(e.event_id), 17, 4) || '-'
        || substr(hex(e.event_id), 21)) ELSE e.event_id END AS event_id,
    m.name AS module, k.name AS kind, x.name AS session, e.time_us,
    (SELECT name FROM names WHERE id = e.stream) AS stream,
    CASE typeof(e.entry) WHEN 'integer' THEN (e.entry >> 20) || '-' || (e.entry & 1048575) ELSE e.entry END AS entry_id,
    e.data
FROM packed_events AS e
JOIN names AS s ON s.id = e.source
JOIN names AS m ON m.id = e.module
JOIN names AS k ON k.id = e.kind
JOIN names AS x ON x.id = e.session;

CREATE VIEW deliveries AS
SELECT
    s.name AS source,
    CASE typeof(d.message_id) WHEN 'blob' THEN lower(
        substr(hex(d.message_id), 1, 8) || '-' || substr(hex(d.message_id), 9, 4) || '-'
        || substr(hex(d.message_id), 13, 4) || '-' || substr(hex(d.message_id), 17, 4) || '-'
        || substr(hex(d.message_id), 21)) ELSE d.message_id END AS message_id,
    c.name AS consumer,
    CASE d.status WHEN 1 THEN 'handled' WHEN 2 THEN 'retrying' ELSE 'buried' END AS status,
    d.attempts, d.settled_us - d.latency_us AS sent_us, d.settled_us, d.reason, d.path, d.burials, d.message
FROM (
    SELECT m.message_id, m.source, p.message, p.consumer, p.status, p.attempts, p.settled_us, p.latency_us, p.burials,
           p.reason, p.path
    FROM packed_deliveries AS p JOIN packed_messages AS m ON m.number = p.message
    UNION ALL
    SELECT message_id, source, NULL, consumer, status, attempts, settled_us, latency_us, burials, reason, path
    FROM early_deliveries
) AS d
JOIN names AS s ON s.id = d.source
JOIN names AS c ON c.id = d.consumer;

CREATE VIEW module_communications AS
SELECT
    m.number AS id, x.name AS session_id, s.name AS source_module, t.name AS target_module, k.name AS message_type,
    CASE (SELECT max(d.status) FROM packed_deliveries AS d WHERE d.message = m.number)
        WHEN 1 THEN 'handled' WHEN 2 THEN 'retrying' WHEN 3 THEN 'failed' ELSE 'sent' END AS status,
    coalesce(
        (SELECT json_object(
            'size_bytes', m.size_bytes, 'latency_ms', max(max(d.latency_us, 0)) / 1000.0, 'attempts', max(d.attempts),
            'handled', sum(d.status = 1), 'failed', sum(d.status = 3))
         FROM packed_deliveries AS d WHERE d.message = m.number HAVING count(*)),
        json_object('size_bytes', m.size_bytes)) AS metrics,
    strftime('%Y-%m-%dT%H:%M:%S', min(m.time_us, 253402300799999999) / 1000000, 'unixepoch')
        || printf('.%06d+00:00', min(m.time_us, 253402300799999999) % 1000000) AS created_at
FROM packed_messages AS m
JOIN names AS s ON s.id = m.source
JOIN names AS t ON t.id = m.target
JOIN names AS k ON k.id = m.type
JOIN names AS x ON x.id = m.session
UNION ALL
SELECT id, session_id, source_module, target_module, message_type, status, metrics, created_at
FROM tracked_communications;

-- Programs that wrote into the table still do.
CREATE TRIGGER module_communications_insert INSTEAD OF INSERT ON module_communications BEGIN
    INSERT INTO sqlite_sequence (name, seq)
        SELECT 'packed_messages', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'packed_messages');
    UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'packed_messages';
    INSERT INTO tracked_communications
        (id, session_id, source_module, target_module, message_type, status, metrics, created_at)
        SELECT seq, new.session_id, new.source_module, new.target_module, new.message_type, new.status,
            coalesce(new.metrics, '{}'),
            coalesce(new.created_at, strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000+00:00')
        FROM sqlite_sequence WHERE name = 'packed_messages';
END;
