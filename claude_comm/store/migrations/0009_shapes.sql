-- The shapes of payloads: for each flow (who sends what type to whom, under which agreement, on which stream) the distinct
-- sets of paths and types. They stay when their messages are pruned. `facts` and `days` are MessagePack: what was observed
-- at each path, and how many messages there were each day since the epoch. `example` is JSON, without what a contract
-- marks as sensitive; empty where it would be too large.
CREATE TABLE packed_shapes (
    source INTEGER NOT NULL,
    target INTEGER NOT NULL,
    type INTEGER NOT NULL,
    agreement INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    key BLOB NOT NULL,
    messages INTEGER NOT NULL,
    first_us INTEGER NOT NULL,
    last_us INTEGER NOT NULL,
    example_id TEXT NOT NULL,
    example TEXT NOT NULL,
    facts BLOB NOT NULL,
    days BLOB NOT NULL
);
CREATE UNIQUE INDEX shapes_by_flow ON packed_shapes (target, source, type, agreement, stream, key);

CREATE VIEW shapes AS
SELECT source.name AS source, target.name AS target, type.name AS type, agreement.name AS agreement,
    stream.name AS stream, lower(hex(s.key)) AS shape, s.messages, s.first_us, s.last_us, s.example_id, s.example
FROM packed_shapes AS s
JOIN names AS source ON source.id = s.source
JOIN names AS target ON target.id = s.target
JOIN names AS type ON type.id = s.type
JOIN names AS agreement ON agreement.id = s.agreement
JOIN names AS stream ON stream.id = s.stream;

-- Up to which message all are in the shapes.
CREATE TABLE shaped (id INTEGER PRIMARY KEY CHECK (id = 1), number INTEGER NOT NULL);
INSERT INTO shaped (id, number) VALUES (1, 0);
