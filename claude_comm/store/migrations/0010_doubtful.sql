-- Messages and events that are not trusted: `refused` ones are nothing but a row here, the others were stored as well.
-- `key` is the id of the key that they name, in hexadecimal.
CREATE TABLE doubtful (
    number INTEGER PRIMARY KEY,
    stream TEXT NOT NULL,
    entry_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    source TEXT NOT NULL,
    reason TEXT NOT NULL,
    key TEXT NOT NULL,
    refused INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    prefix BLOB NOT NULL
);
CREATE UNIQUE INDEX doubtful_once ON doubtful (stream, entry_id, prefix);

-- Whose key signed an entry that waits for a newer program; `*` for a service, empty where nobody demanded it.
ALTER TABLE newer ADD COLUMN holder TEXT NOT NULL DEFAULT '';
