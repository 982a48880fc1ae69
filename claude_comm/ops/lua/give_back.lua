-- Deliveries that were handed out and not handled become claimable by others at once.
--
-- KEYS[1]  stream
-- ARGV[1]  group    the reading module
-- ARGV[2]  consumer who holds the deliveries
-- ARGV[3]  holder   the name under which they wait: it is nobody's, so that who leaves can be taken off the group
-- ARGV[4]  idle     ms since when they count as untouched: longer than any lease where anybody may have them
-- ARGV[5…] pairs    id of the entry, and how often it counts as handed out from now on
--
-- Returns the ids that the stream no longer has: the server forgets such a delivery here. One that this consumer does
-- not hold any more is left alone: another works at it.

local lost = {}
for i = 5, #ARGV, 2 do
  if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2]) == 1 then
    local moved = redis.call(
      'XCLAIM', KEYS[1], ARGV[1], ARGV[3], 0, ARGV[i], 'IDLE', ARGV[4], 'RETRYCOUNT', ARGV[i + 1], 'JUSTID'
    )
    if #moved == 0 then
      lost[#lost + 1] = ARGV[i]
    end
  end
end
return lost
