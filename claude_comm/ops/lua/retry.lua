#!lua flags=allow-oom
-- A delivery whose handling failed goes from pending to `later`, and its event onto the events stream.
--
-- KEYS[1]  later    sorted set of the reading module
-- KEYS[2]  events   events stream of the reading module
-- KEYS[3]  inbox    stream that it was read from; left out for a topic, which has another hash tag: the caller acks
-- ARGV[1]  due      when it is to be handled again, in ms since the epoch
-- ARGV[2]  member   ATTEMPTS:ENVELOPE, see due.lua
-- ARGV[3]  event    envelope of the `retried` event, sealed or not
-- ARGV[4]  group    the reading module
-- ARGV[5]  consumer who holds the delivery
-- ARGV[6]  entry    id of the entry in the inbox
--
-- Returns 1, or 0 when this consumer does not hold the delivery any more: then nothing is written.
-- The ack is last: what stops half-way has not lost the message. A full server takes it all the same: a delivery that
-- could not end would hold back the trimming that makes room.

-- include: entry_fields

if KEYS[3] then
  local held = redis.call('XPENDING', KEYS[3], ARGV[4], ARGV[6], ARGV[6], 1, ARGV[5])
  if #held == 0 then
    return 0
  end
end
redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2])
redis.call('XADD', KEYS[2], '*', entry_fields(ARGV[3]))
if KEYS[3] then
  redis.call('XACK', KEYS[3], ARGV[4], ARGV[6])
end
return 1
