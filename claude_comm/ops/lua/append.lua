#!lua
-- Messages for one stream, all of them or none: a server whose memory is full takes no later one before an earlier one.
--
-- KEYS[1]  stream
-- ARGV     envelopes, sealed or not, in the order in which they were sent
--
-- Returns the id of each entry.

-- include: entry_fields

local ids = {}
for place, envelope in ipairs(ARGV) do
  ids[place] = redis.call('XADD', KEYS[1], '*', entry_fields(envelope))
end
return ids
