-- Buried messages go back to the inbox of the module that buried them, as they were sent.
--
-- KEYS[1]  dead     dead stream of the module
-- KEYS[2]  inbox    inbox of the module
-- KEYS[3]  events   events stream of the module
-- ARGV     pairs    id of the dead entry, and the envelope of its `retried` event ('' for none)
--
-- Returns how many moved; an entry that is not there any more is passed over, so that none is moved twice.

-- A sealed envelope is 0xc1, key, signature, length of the place, place, envelope; see security/sealed.py.
local function sealed(text)
  if string.byte(text, 1) ~= 0xc1 then
    return 'e', text
  end
  local long = string.byte(text, 74) * 256 + string.byte(text, 75)
  local body = string.sub(text, 76 + long)
  if long == 0 then
    return 'e', body, 'k', string.sub(text, 2, 9), 's', string.sub(text, 10, 73)
  end
  return 'e', body, 'k', string.sub(text, 2, 9), 's', string.sub(text, 10, 73), 'p', string.sub(text, 76, 75 + long)
end

-- The envelope, and the seal that it was sent under.
local WITH_IT = {e = true, k = true, s = true, p = true}

local moved = 0
for i = 1, #ARGV, 2 do
  local found = redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i])
  if #found == 1 then
    local fields = found[1][2]
    local kept = {}
    for j = 1, #fields, 2 do
      if WITH_IT[fields[j]] then
        kept[#kept + 1] = fields[j]
        kept[#kept + 1] = fields[j + 1]
      end
    end
    if #kept > 0 then
      redis.call('XADD', KEYS[2], '*', unpack(kept))
    end
    if ARGV[i + 1] ~= '' then
      redis.call('XADD', KEYS[3], '*', sealed(ARGV[i + 1]))
    end
    redis.call('XDEL', KEYS[1], ARGV[i])
    moved = moved + 1
  end
end
return moved
