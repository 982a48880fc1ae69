-- Deliveries that other versions of the module left to this one come to the consumer that asks. It is no attempt.
--
-- KEYS[1]  stream
-- ARGV[1]  group    the reading module
-- ARGV[2]  consumer who asks
-- ARGV[3]  holder   the name under which they wait, which is no instance's
-- ARGV[4]  limit    at most so many
--
-- Returns the ids that are this consumer's now, and those that the stream no longer has: the server forgets such a
-- delivery here.

local rows = redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', ARGV[4], ARGV[3])
local taken, lost = {}, {}
for _, row in ipairs(rows) do
  local moved = redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, row[1], 'JUSTID')
  local to = #moved == 1 and taken or lost
  to[#to + 1] = row[1]
end
return { taken, lost }
