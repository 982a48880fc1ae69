#!lua flags=allow-oom
-- What is due goes from `later` to the end of its stream.
--
-- KEYS[1]  later    sorted set
-- KEYS[2]  stream   the inbox or topic beside it
-- ARGV[1]  now      ms since the epoch
-- ARGV[2]  limit    at most so many
-- ARGV[3]  group    the module that asks; '' or left out for nobody
-- ARGV[4]  holder   under whose name deliveries of the stream wait for the version of the module that asks
--
-- A member is ATTEMPTS:ENVELOPE, how often its handling failed before and the message as it was sent, to the byte. The
-- entry has the envelope as its field `e`, and the attempts as its field `a` where they are not 0.
--
-- What another program put there, and has no such form, goes to the stream as it is: whoever reads it buries it, with
-- the reason, and what lies behind it goes on.
--
-- A full server moves them all the same: what leaves here makes room for what arrives there.
--
-- Returns {how many moved, when the next one is due in ms as text, or '' where nothing waits}, and a third member, 1, where
-- a delivery waits for who asks.

-- include: entry_fields

local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
for _, member in ipairs(due) do
  local attempts, envelope = string.match(member, '^(%d+):(.*)$')
  if not attempts or #attempts > 9 then
    redis.call('XADD', KEYS[2], '*', 'e', member)
  elseif attempts == '0' then
    redis.call('XADD', KEYS[2], '*', entry_fields(envelope))
  else
    local named = {entry_fields(envelope)}
    named[#named + 1] = 'a'
    named[#named + 1] = attempts
    redis.call('XADD', KEYS[2], '*', unpack(named))
  end
  redis.call('ZREM', KEYS[1], member)
end
local following = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
if ARGV[3] and ARGV[3] ~= '' then
  local rows = redis.pcall('XPENDING', KEYS[2], ARGV[3], '-', '+', 1, ARGV[4])
  if not rows.err and #rows > 0 then
    return {#due, following[2] or '', 1}
  end
end
return {#due, following[2] or ''}
