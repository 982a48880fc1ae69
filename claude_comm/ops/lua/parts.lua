-- Included by the scripts that gather parts: keeping a part, and writing the whole that they make. KEYS and ARGV are as in
-- join.lua.

-- include: entry_fields

-- Keeps this part, unless its value is known; whether nothing was known of it. A part that failed may come again.
local function keep(field)
  local known = redis.call('HGET', KEYS[1], field)
  if not known or string.sub(known, 1, 1) == 'f' then
    redis.call('HSET', KEYS[1], field, ARGV[4])
    redis.call('PEXPIRE', KEYS[1], ARGV[5])
  end
  return not known
end

-- Whether the whole is written, and marked as made; if not, it is to be sealed first.
local function write(whole)
  if ARGV[8] == '' then
    redis.call('XADD', KEYS[2], '*', 'e', whole)
  else
    local named = {entry_fields(ARGV[8])}
    if named[2] ~= whole then
      return false
    end
    redis.call('XADD', KEYS[2], '*', unpack(named))
  end
  redis.call('HSET', KEYS[1], ARGV[1], '1')
  return true
end
