-- Deliveries that a handler is about to see count as handed out, and their leases begin anew.
--
-- KEYS[1]  stream
-- ARGV[1]  group    the reading module
-- ARGV[2]  consumer who holds the deliveries
-- ARGV[3…] pairs    id of the entry, and how often it counts as handed out from now on
--
-- Returns the ids of those that this consumer does not hold any more: another works at them.

local gone = {}
for i = 3, #ARGV, 2 do
  if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2]) == 1 then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'RETRYCOUNT', ARGV[i + 1], 'JUSTID')
  else
    gone[#gone + 1] = ARGV[i]
  end
end
return gone
