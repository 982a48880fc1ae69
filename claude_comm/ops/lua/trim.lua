-- What is done with at the beginning of a stream goes, as far as it may: one step, so that nobody reads in between.
--
-- KEYS[1]  stream   an inbox, a topic or an events stream
-- ARGV[1]  durable  id that every projection has durable; the entry itself stays
-- ARGV[2]  old      what is done and has an id before this one goes
-- ARGV[3]  keep     what is done and lies beyond so many entries goes as well
-- ARGV[4]  readers  'groups' where a stream must be read by one at least, 'none' where projections alone read it
-- ARGV[5]  limit    at most so many entries in one step
-- ARGV[6]  mode     'trim', or 'look': only says what could go
--
-- Returns {how many went, 1 if more may go, the id before which all is done, what set that id, whose it is,
-- the stream's last id, bytes that went (estimated by the server from some of its nodes)}. What set it is 'durable',
-- 'undelivered' or 'pending' of a group; or nothing may go at all: 'unread' (no group), 'moved' (its ids moved
-- backwards), 'empty'. Done are the entries before the first that a group has pending, before the last that it was
-- handed, and before `durable`: the entry with that id stays, so a stream keeps its last entry.

local function parts(id)
  return string.match(id, '^(%d+)%-(%d+)$')
end

-- Ids are 64 bits twice, more than a number of Lua holds: the longer text is the larger, of equal ones the later.
local function less(a, b)
  if #a ~= #b then
    return #a < #b
  end
  return a < b
end

local function before(a, b)
  local a_ms, a_seq = parts(a)
  local b_ms, b_seq = parts(b)
  if a_ms ~= b_ms then
    return less(a_ms, b_ms)
  end
  return less(a_seq, b_seq)
end

local function by_name(flat)
  local found = {}
  for i = 1, #flat, 2 do
    found[flat[i]] = flat[i + 1]
  end
  return found
end

local key = KEYS[1]
if redis.call('EXISTS', key) == 0 then
  return {0, 0, '0-0', 'empty', '', '0-0', 0}
end
local newest = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)
if #newest == 0 then
  return {0, 0, '0-0', 'empty', '', '0-0', 0}
end
local last = newest[1][1]
local done, holder, name = ARGV[1], 'durable', ''
if before(by_name(redis.call('XINFO', 'STREAM', key))['last-generated-id'], done) then
  return {0, 0, '0-0', 'moved', '', last, 0}
end
local groups = redis.call('XINFO', 'GROUPS', key)
if ARGV[4] == 'groups' and #groups == 0 then
  return {0, 0, '0-0', 'unread', '', last, 0}
end
for _, flat in ipairs(groups) do
  local group = by_name(flat)
  if before(group['last-delivered-id'], done) then
    done, holder, name = group['last-delivered-id'], 'undelivered', group['name']
  end
  if group['pending'] > 0 then
    local first = redis.call('XPENDING', key, group['name'])[2]
    if before(first, done) then
      done, holder, name = first, 'pending', group['name']
    end
  end
end
if ARGV[6] == 'look' then
  return {0, 0, done, holder, name, last, 0}
end

local length = redis.call('XLEN', key)
local limit = tonumber(ARGV[5])
local old = ARGV[2]
if not before(old, done) then
  old = done
end
-- The estimate costs a look at some nodes: only where there is something to trim.
local first = redis.call('XRANGE', key, '-', '+', 'COUNT', 1)[1][1]
local beyond = math.min(limit, length - tonumber(ARGV[3]))
if not before(first, old) and (beyond <= 0 or not before(first, done)) then
  return {0, 0, done, holder, name, last, 0}
end
local bytes = redis.call('MEMORY', 'USAGE', key)
-- Whole nodes of the stream go at once, which is cheap whatever their number; a last, broken node is cut entry by entry.
local gone = 0
if beyond > 0 then
  gone = redis.call('XTRIM', key, 'MINID', '~', done, 'LIMIT', beyond)
end
if gone < limit then
  gone = gone + redis.call('XTRIM', key, 'MINID', '~', old, 'LIMIT', limit - gone)
end
local more = 1
if gone == 0 then
  gone = redis.call('XTRIM', key, 'MINID', '=', old)
  more = 0
end
return {gone, more, done, holder, name, last, math.floor(bytes / length * gone)}
