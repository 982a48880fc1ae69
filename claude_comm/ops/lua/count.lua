-- Counts the entries of a stream after one id and up to another: a part at a time, because the server does nothing
-- else meanwhile.
--
-- KEYS[1]  stream
-- ARGV[1]  after   '(' and an id, or '-'
-- ARGV[2]  until   an id, '(' and an id, or '+'
-- ARGV[3]  limit   at most so many
--
-- Returns {how many, the id of the last one counted, or '' where none was left}.

local found = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[2], 'COUNT', ARGV[3])
if #found == 0 then
  return {0, ''}
end
return {#found, found[#found][1]}
