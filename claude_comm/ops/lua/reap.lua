-- What an instance that is gone had in its hands becomes claimable at once; an instance without any leaves its group.
--
-- KEYS[1]  stream
-- ARGV[1]  group
-- ARGV[2]  consumer  the instance
-- ARGV[3]  idle      ms that its deliveries count as idle from now on: longer than any lease
-- ARGV[4]  after     '-', or '(' and the id that the step before ended with
-- ARGV[5]  limit     at most so many in one step
--
-- Returns {how many became claimable, the id to go on after or '', 1 if the instance left the group}.
-- Attempts are not counted here: they are when a handler is handed a delivery again. One whose entry the stream no
-- longer has stays as it is: moved, it would be forgotten; the claim at the end of its lease tells that it is lost.

local rows = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[4], '+', ARGV[5], ARGV[2])
local given = 0
for _, row in ipairs(rows) do
  if row[3] < tonumber(ARGV[3]) and #redis.call('XRANGE', KEYS[1], row[1], row[1]) == 1 then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, row[1], 'IDLE', ARGV[3], 'JUSTID')
    given = given + 1
  end
end
if #rows == tonumber(ARGV[5]) then
  return { given, rows[#rows][1], 0 }
end
if ARGV[4] == '-' and #rows == 0 then
  redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
  return { 0, '', 1 }
end
return { given, '', 0 }
