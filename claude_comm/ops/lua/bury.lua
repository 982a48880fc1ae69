#!lua flags=allow-oom
-- A delivery that will not be tried again goes to the dead stream, and its event onto the events stream.
--
-- KEYS[1]  dead     dead stream of the reading module
-- KEYS[2]  events   events stream of the reading module
-- KEYS[3]  inbox    stream that it was read from; left out for a topic, which has another hash tag: the caller acks
-- ARGV[1]  event    envelope of the `buried` event, sealed or not
-- ARGV[2]  group    the reading module
-- ARGV[3]  consumer who holds the delivery
-- ARGV[4]  entry    id of the entry in the stream
-- ARGV[5…] fields   names and values of the dead entry
--
-- Returns 1, or 0 when this consumer does not hold the delivery any more: then nothing is written.
-- The ack is last: what stops half-way has not lost the message. A full server takes it all the same: a delivery that
-- could not end would hold back the trimming that makes room.

-- include: entry_fields

if KEYS[3] then
  local held = redis.call('XPENDING', KEYS[3], ARGV[2], ARGV[4], ARGV[4], 1, ARGV[3])
  if #held == 0 then
    return 0
  end
end
redis.call('XADD', KEYS[1], '*', unpack(ARGV, 5))
redis.call('XADD', KEYS[2], '*', entry_fields(ARGV[1]))
if KEYS[3] then
  redis.call('XACK', KEYS[3], ARGV[2], ARGV[4])
end
return 1
