-- Deliveries that other versions of the module left to this one come to the consumer that asks.
--
-- KEYS[1]  stream
-- ARGV[1]  group    the reading module
-- ARGV[2]  consumer who asks
-- ARGV[3]  holder   the name under which they wait, which is no instance's
-- ARGV[4]  limit    at most so many
--
-- Returns the entries, as XCLAIM does. What was deleted meanwhile is left out, and stays pending until it is claimed.

local rows = redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', ARGV[4], ARGV[3])
if #rows == 0 then
  return {}
end
local ids = {}
for _, row in ipairs(rows) do
  ids[#ids + 1] = row[1]
end
return redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, unpack(ids))
