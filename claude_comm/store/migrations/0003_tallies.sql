-- What happened to deliveries of a module that ended neither as handled nor as buried: entries that were deleted before
-- anybody handled them, and copies that were passed over. Each event counts once, as its row in `events` is new.

CREATE TABLE tallies (
    module TEXT NOT NULL,
    kind TEXT NOT NULL,
    count INTEGER NOT NULL,
    last_us INTEGER NOT NULL,
    PRIMARY KEY (module, kind)
);
