-- Replaces the keyring, unless somebody else replaced it meanwhile.
--
-- KEYS[1]  keyring  the signed document
-- ARGV[1]  before   the document that the new one was made from; '' for none
-- ARGV[2]  after    the new one
--
-- Returns 1, or 0 when another document stands there: then nothing is written.

local stored = redis.call('GET', KEYS[1]) or ''
if stored ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2])
return 1
