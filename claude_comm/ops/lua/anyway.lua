#!lua flags=allow-oom
-- One command, also while the server's memory is full: for what makes room again, and is small.
--
-- KEYS[1]  key    the one key that the command touches
-- ARGV     words  the whole command, its key in its place
--
-- Returns what the command returns.

return redis.call(unpack(ARGV))
