#!lua
-- Messages for one stream, all of them or none: a server whose memory is full takes no later one before an earlier one.
--
-- KEYS[1]  stream
-- ARGV     envelopes, in the order in which they were sent
--
-- Returns the id of each entry.

local ids = {}
for place, envelope in ipairs(ARGV) do
  ids[place] = redis.call('XADD', KEYS[1], '*', 'e', envelope)
end
return ids
