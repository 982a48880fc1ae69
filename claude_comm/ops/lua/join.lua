#!lua flags=allow-oom
-- One part of what a step waits for. The last one makes the whole message, which goes into the step's own inbox.
--
-- KEYS[1]  join     hash of the parts of a session
-- KEYS[2]  inbox    of the joining module, where the part was read
-- ARGV[1]  input    which input of the session, at which step: what the fields of its parts begin with
-- ARGV[2]  part     number of this part, from 0
-- ARGV[3]  count    how many there are
-- ARGV[4]  token    'v' and the value as MessagePack; 's': it does not come; 'f': it failed
-- ARGV[5]  ttl      ms that the hash stays after the last part
-- ARGV[6]  head     the whole message up to its payload, which is its last field
-- ARGV[7]  most     bytes that the whole message may have
-- ARGV[8]  whole    '' to write the whole as it is made here; 'seal' to have it first, and sealed once it is
-- ARGV[9…] names    of all parts in their order, as MessagePack: the keys of the payload
--
-- Returns 'waits' or 'joined' when the part is kept: the caller acks it. Else all parts are known, and nothing is made of
-- them: 'failed' (one failed), 'skipped' (none comes), 'large' (the whole is over the limit); or {'whole', the message}: the
-- caller seals it, for no key is here, and asks again. Doing it twice is the same as once, and so the ack may follow later:
-- a part has its number, and a whole that was made is marked. A part that failed may come again as a value. A full server
-- takes it all the same: what waits makes no room.

-- include: parts

if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then
  return 'waits'
end
keep(ARGV[1] .. '/' .. ARGV[2])

local count = tonumber(ARGV[3])
local fields = {}
for i = 0, count - 1 do
  fields[i + 1] = ARGV[1] .. '/' .. i
end
local parts = redis.call('HMGET', KEYS[1], unpack(fields))
local values, failed = 0, false
for i = 1, count do
  if not parts[i] then
    return 'waits'
  end
  local kind = string.sub(parts[i], 1, 1)
  failed = failed or kind == 'f'
  values = values + (kind == 'v' and 1 or 0)
end
if failed then
  return 'failed'
end
if values == 0 then
  return 'skipped'
end

-- The header of a map in MessagePack: one byte for up to 15 pairs, else three.
local header
if values < 16 then
  header = string.char(0x80 + values)
else
  header = string.char(0xde, math.floor(values / 256), values % 256)
end
local pieces = {ARGV[6], header}
local bytes = #ARGV[6] + #header
for i = 1, count do
  if string.sub(parts[i], 1, 1) == 'v' then
    pieces[#pieces + 1] = ARGV[8 + i]
    pieces[#pieces + 1] = string.sub(parts[i], 2)
    bytes = bytes + #ARGV[8 + i] + #parts[i] - 1
  end
end
if bytes > tonumber(ARGV[7]) then
  return 'large'
end
local whole = table.concat(pieces)
if not write(whole) then
  return {'whole', whole}
end
redis.call('HDEL', KEYS[1], unpack(fields))
return 'joined'
