-- The messages of each shape in blocks of up to a thousand, each with what was observed of these alone: where a shape is
-- not proved to fit a new contract, the blocks are found that may hold what does not. They go with their messages.
-- `numbers` is MessagePack: how far each message's number is beyond `base`; `facts` and `days` are as those of a shape.
CREATE TABLE packed_blocks (
    id INTEGER PRIMARY KEY,
    source INTEGER NOT NULL,
    target INTEGER NOT NULL,
    type INTEGER NOT NULL,
    agreement INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    key BLOB NOT NULL,
    base INTEGER NOT NULL,
    last INTEGER NOT NULL,
    first_us INTEGER NOT NULL,
    last_us INTEGER NOT NULL,
    facts BLOB NOT NULL,
    days BLOB NOT NULL,
    numbers BLOB NOT NULL
);
CREATE INDEX blocks_by_flow ON packed_blocks (target, source, type, agreement, stream, key);
CREATE INDEX blocks_by_last ON packed_blocks (last);

-- What was folded before is in no block, but for the messages of shapes that have all their numbers.
INSERT INTO packed_blocks (source, target, type, agreement, stream, key, base, last, first_us, last_us, facts, days, numbers)
SELECT s.source, s.target, s.type, s.agreement, s.stream, s.key, 0, shaped.number, s.first_us, s.last_us, s.facts, s.days,
    s.numbers
FROM packed_shapes AS s JOIN shaped WHERE s.messages < 256 AND s.numbers != X'90';

-- Messages with greater numbers are all in blocks.
ALTER TABLE shaped ADD COLUMN blocks_after INTEGER NOT NULL DEFAULT 0;
UPDATE shaped SET blocks_after = number;
-- Nobody reads them any more; older SQLite cannot drop a column.
UPDATE packed_shapes SET numbers = X'90';
