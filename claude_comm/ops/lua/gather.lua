#!lua flags=allow-oom
-- One item of a list whose items went their own ways. The last one makes the whole message: a list of all in their order.
--
-- KEYS[1]  join     hash of the parts of a session
-- KEYS[2]  inbox    of the gathering module, where the item was read
-- ARGV[1]  input    which input of the session, at which step: what the fields of its items begin with
-- ARGV[2]  item     number of this item, from 0
-- ARGV[3]  count    how many there are
-- ARGV[4]  token    'v' and the value as MessagePack; 's': it does not come; 'f': it failed
-- ARGV[5]  ttl      ms that the hash stays after the last item
-- ARGV[6]  head     the whole message up to its payload, which is its last field
-- ARGV[7]  most     bytes that the whole message may have
-- ARGV[8]  whole    '' to write the whole as it is made here; 'seal' to have it first, and sealed once it is
--
-- Returns what join.lua does, and is as idempotent: an item has its number. How many have come is counted beside them
-- (field 'INPUT/n'), so that an item costs the same whether three are waited for or thirty thousand.

-- include: parts

-- How many fields one command names: the stack of Lua holds some thousand.
local page = 1000

if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then
  return 'waits'
end
local own, counter = ARGV[1] .. '/' .. ARGV[2], ARGV[1] .. '/n'
if keep(own) then
  redis.call('HINCRBY', KEYS[1], counter, 1)
end

local count = tonumber(ARGV[3])
if tonumber(redis.call('HGET', KEYS[1], counter) or 0) < count then
  return 'waits'
end
local pages, values, failed, bytes = {}, {}, false, #ARGV[6]
for first = 0, count - 1, page do
  local fields = {}
  for i = first, math.min(first + page, count) - 1 do
    fields[#fields + 1] = ARGV[1] .. '/' .. i
  end
  pages[#pages + 1] = fields
  for _, item in ipairs(redis.call('HMGET', KEYS[1], unpack(fields))) do
    if not item then
      return 'waits'
    end
    local kind = string.sub(item, 1, 1)
    failed = failed or kind == 'f'
    if kind == 'v' then
      values[#values + 1] = string.sub(item, 2)
      bytes = bytes + #item - 1
    end
  end
end
if failed then
  return 'failed'
end
-- The header of a list in MessagePack: one byte for up to 15 items, else three or five.
local size, header = #values, nil
if size < 16 then
  header = string.char(0x90 + size)
elseif size < 65536 then
  header = string.char(0xdc, math.floor(size / 256), size % 256)
else
  header = string.char(0xdd, 0, math.floor(size / 65536), math.floor(size / 256) % 256, size % 256)
end
if bytes + #header > tonumber(ARGV[7]) then
  return 'large'
end
local whole = ARGV[6] .. header .. table.concat(values)
if not write(whole) then
  return {'whole', whole}
end
redis.call('HDEL', KEYS[1], counter)
for _, fields in ipairs(pages) do
  redis.call('HDEL', KEYS[1], unpack(fields))
end
return 'joined'
