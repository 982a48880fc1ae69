-- Which streams are not at rest. Changes nothing.
--
-- KEYS      triples: a stream; the sorted set beside it, of what waits for its time; the dead letters of its module
--
-- Returns the places of those streams, from 1 on: something waits beside it or is buried, a group has not read all of it
-- or has deliveries that are not acked, or the server cannot tell; or it has entries and no group (an inbox or a topic).

local function by_name(flat)
  local found = {}
  for i = 1, #flat, 2 do
    found[flat[i]] = flat[i + 1]
  end
  return found
end

local function groups_rest(key)
  local groups = redis.call('XINFO', 'GROUPS', key)
  for _, flat in ipairs(groups) do
    local group = by_name(flat)
    if group['pending'] ~= 0 or group['lag'] ~= 0 then
      return false
    end
  end
  return #groups > 0 or string.match(key, ':events$') or redis.call('XLEN', key) == 0
end

local busy = {}
for i = 1, #KEYS, 3 do
  local kind = redis.call('TYPE', KEYS[i])['ok']
  if kind ~= 'none' and kind ~= 'stream'
    or redis.call('EXISTS', KEYS[i + 1]) == 1 or redis.call('EXISTS', KEYS[i + 2]) == 1
    or kind == 'stream' and not groups_rest(KEYS[i]) then
    busy[#busy + 1] = (i + 2) / 3
  end
end
return busy
