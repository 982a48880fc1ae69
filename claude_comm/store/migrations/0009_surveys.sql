-- When all streams were last surveyed, and on which runs of the servers: on the same runs their ids have not moved
-- backwards since.
CREATE TABLE surveys (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    runs TEXT NOT NULL,
    at_us INTEGER NOT NULL
);
