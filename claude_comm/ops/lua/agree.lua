#!lua flags=allow-oom
-- An outcome of a negotiation: the agreement, and the turn that it is for its pair, compared and set.
--
-- KEYS[1]  agreements  hash, id to agreement
-- KEYS[2]  pairs       hash, `PRODUCER/CONSUMER/TYPE` to pair
-- KEYS[3]  edges       set of the pairs of the producer
-- KEYS[4]  edges       set of the pairs of the consumer
-- KEYS[5]  changes     stream
-- KEYS[6]  history     stream, of the consumer
-- ARGV[1]  id
-- ARGV[2]  agreement   or '' where it stands there already
-- ARGV[3]  name        of the pair
-- ARGV[4]  expected    the pair as it was read, or '' where there was none
-- ARGV[5]  pair        as it is to be
-- ARGV[6]  changes     at most so many in the stream of changes
-- ARGV[7]  history     at most so many in the history
-- ARGV[8]  change      what to announce
--
-- Returns 1, or 0 when another changed the pair meanwhile: then only the agreement is written.

if ARGV[2] ~= '' then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
end
if (redis.call('HGET', KEYS[2], ARGV[3]) or '') ~= ARGV[4] then
  return 0
end
redis.call('HSET', KEYS[2], ARGV[3], ARGV[5])
redis.call('SADD', KEYS[3], ARGV[3])
redis.call('SADD', KEYS[4], ARGV[3])
redis.call('XADD', KEYS[5], 'MAXLEN', '~', ARGV[6], '*', 'c', ARGV[8])
redis.call('XADD', KEYS[6], 'MAXLEN', '~', ARGV[7], '*', 'c', ARGV[8])
return 1
