#!lua
-- Note that a session of a user has a connection on a node, or lost it; tell which sessions without one are too many.
--
-- KEYS[1] hash: session -> "generation node" while it has a connection, "generation" since it lost it; "!" when nodes
--   without a lease are looked for next, ms since 1970 · [2] sorted set: session without a connection -> since when
-- ARGV[1] session · [2] generation of its connection · [3] node, '' for a connection that was lost
-- [4] most sessions without a connection · [5] how long both keys are kept, ms · [6] how long a session of a node without a
--   lease is left alone, ms, since its node may only be cut off · [7] how often they are looked for at most, ms
-- [8] 1 if the live nodes follow, else 0
-- Reply: {'alive'} if they are needed · {session, generation, ...} those to end, longest without a connection first
-- A session that is ended is taken out by waiting_forget.lua.
local AT_ONCE = 16
local call = redis.call
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local id, generation, node = ARGV[1], ARGV[2], ARGV[3]
local known, scan_at = unpack(call('HMGET', KEYS[1], id, '!'))
known = known or '0'
if generation + 0 >= string.match(known, '^%d+') + 0 then
  local noted = node ~= '' and generation .. ' ' .. node or generation
  if noted ~= known then call('HSET', KEYS[1], id, noted) end
  if node ~= '' then
    call('ZREM', KEYS[2], id)
  elseif noted ~= known then
    -- A loss that is noted already keeps its time.
    call('ZADD', KEYS[2], now, id)
  end
end
if not scan_at then call('HSET', KEYS[1], '!', string.format('%d', now + ARGV[7])) end
for i = 1, 2 do call('PEXPIRE', KEYS[i], ARGV[5]) end
local scans = scan_at and now >= scan_at + 0
if not scans and call('ZCARD', KEYS[2]) <= ARGV[4] + 0 then return {} end
if ARGV[8] == '0' then return { 'alive' } end
local live = {}
for i = 9, #ARGV do live[ARGV[i]] = true end
if scans then
  call('HSET', KEYS[1], '!', string.format('%d', now + ARGV[7]))
  local all = call('HGETALL', KEYS[1])
  for i = 1, #all, 2 do
    local at = string.match(all[i + 1], '^%d+ (.+)$')
    if at and not live[at] then call('ZADD', KEYS[2], 'NX', now, all[i]) end
  end
end
local over, reply = call('ZCARD', KEYS[2]) - ARGV[4], {}
if over <= 0 then return reply end
local oldest = call('ZRANGE', KEYS[2], 0, math.min(over, AT_ONCE) - 1, 'WITHSCORES')
for i = 1, #oldest, 2 do
  local text = call('HGET', KEYS[1], oldest[i]) or '0'
  local of, at = string.match(text, '^(%d+) ?(.*)$')
  if live[at] then
    call('ZREM', KEYS[2], oldest[i])
  elseif at == '' or now - oldest[i + 1] >= ARGV[6] + 0 then
    reply[#reply + 1], reply[#reply + 2] = oldest[i], of
  end
end
return reply
