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
-- Attempts are not counted here: the claim that follows counts one, so that what kills its consumers ends buried.

local rows = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[4], '+', ARGV[5], ARGV[2])
local ids = {}
for _, row in ipairs(rows) do
  if row[3] < tonumber(ARGV[3]) then
    ids[#ids + 1] = row[1]
  end
end
for _, id in ipairs(ids) do
  redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, id, 'IDLE', ARGV[3], 'JUSTID')
end
if #rows == tonumber(ARGV[5]) then
  return {#ids, rows[#rows][1], 0}
end
if ARGV[4] == '-' and #rows == 0 then
  redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
  return {0, '', 1}
end
return {#ids, '', 0}
