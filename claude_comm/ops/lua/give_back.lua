-- Deliveries that were handed out and not handled become claimable by others at once.
--
-- KEYS[1]  stream
-- ARGV[1]  group    the reading module
-- ARGV[2]  consumer who holds the deliveries
-- ARGV[3]  heap     the consumer under whose name they wait: it is nobody, so that who leaves can be taken off the group
-- ARGV[4]  idle     ms since when they count as untouched: longer than any lease
-- ARGV[5…] pairs    id of the entry, and how often it counts as handed out from now on, before who takes it next
--
-- Returns how many were given back; one that this consumer does not hold any more is left alone: another works at it.

local given = 0
for i = 5, #ARGV, 2 do
  local held = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2])
  if #held == 1 then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[3], 0, ARGV[i], 'IDLE', ARGV[4], 'RETRYCOUNT', ARGV[i + 1], 'JUSTID')
    given = given + 1
  end
end
return given
