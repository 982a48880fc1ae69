-- Buried messages go back to the inbox of the module that buried them, as they were sent.
--
-- KEYS[1]  dead     dead stream of the module
-- KEYS[2]  inbox    inbox of the module
-- KEYS[3]  events   events stream of the module
-- ARGV     pairs    id of the dead entry, and the envelope of its `retried` event ('' for none)
--
-- Returns how many moved; an entry that is not there any more is passed over, so that none is moved twice.

-- include: entry_fields

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
      redis.call('XADD', KEYS[3], '*', entry_fields(ARGV[i + 1]))
    end
    redis.call('XDEL', KEYS[1], ARGV[i])
    moved = moved + 1
  end
end
return moved
