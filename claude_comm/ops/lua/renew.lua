-- The lease of deliveries begins anew.
--
-- KEYS[1]  stream
-- ARGV[1]  group    the reading module
-- ARGV[2]  consumer who holds the deliveries
-- ARGV[3…] ids      of the entries
--
-- Returns how many this consumer still holds. One that another has claimed meanwhile stays with it: a process that was
-- stopped for longer than its lease would else take back what is being handled. It is no attempt.

local held = 0
for i = 3, #ARGV do
  if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2]) == 1 then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'JUSTID')
    held = held + 1
  end
end
return held
