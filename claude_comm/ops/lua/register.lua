#!lua flags=allow-oom
-- A change of a module's record: compared and set, announced, and kept in the history of the module.
--
-- KEYS[1]  modules    hash, name to record
-- KEYS[2]  contracts  hash, digest to contract
-- KEYS[3]  running    hash, instances of this module to the release that each runs
-- KEYS[4]  limits     hash, module to how many messages may wait in its inbox
-- KEYS[5]  changes    stream
-- KEYS[6]  history    stream, of this module
-- ARGV[1]  module
-- ARGV[2]  expected   the record as it was read, or '' where there was none
-- ARGV[3]  record     as it is to be
-- ARGV[4]  digest     of the contract, or '' to leave the contracts alone
-- ARGV[5]  contract
-- ARGV[6]  instance   or '' where none registers
-- ARGV[7]  running    what it says of itself
-- ARGV[8]  limit      '0' for none, '' to leave it alone
-- ARGV[9]  changes    at most so many in the stream of changes
-- ARGV[10] history    at most so many in the history
-- ARGV[11…] change    what to announce, if anything
--
-- Returns 1, or 0 when another was quicker: then nothing is written. A full server takes it all the same: a module
-- that consumes must be able to come up.

local now = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if now ~= ARGV[2] then
  return 0
end
if ARGV[3] ~= ARGV[2] then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end
if ARGV[4] ~= '' then
  redis.call('HSET', KEYS[2], ARGV[4], ARGV[5])
end
if ARGV[6] ~= '' then
  redis.call('HSET', KEYS[3], ARGV[6], ARGV[7])
end
if ARGV[8] == '0' then
  redis.call('HDEL', KEYS[4], ARGV[1])
elseif ARGV[8] ~= '' then
  redis.call('HSET', KEYS[4], ARGV[1], ARGV[8])
end
for i = 11, #ARGV do
  redis.call('XADD', KEYS[5], 'MAXLEN', '~', ARGV[9], '*', 'c', ARGV[i])
  redis.call('XADD', KEYS[6], 'MAXLEN', '~', ARGV[10], '*', 'c', ARGV[i])
end
return 1
