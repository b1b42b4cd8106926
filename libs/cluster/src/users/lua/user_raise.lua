#!lua
-- Raise a generation of a user: connections of an older one must end.
-- KEYS[1] standing, hash: r revocation, ms since 1970 · d generation below which connections are disconnected ·
--   g generation of the newest connection of a user who may have only one
-- ARGV[1] field, d or g · [2] least generation; '' for a new one · [3] how long it is kept, ms
-- Reply: {r, '' for none; d; g}
-- A new generation is the time in microseconds, so that it exceeds all that Redis has lost.
local known = redis.call('HMGET', KEYS[1], 'r', 'd', 'g')
local highest = math.max(tonumber(known[2] or '0'), tonumber(known[3] or '0'))
local is_d = ARGV[1] == 'd'
local raised
if ARGV[2] == '' then
  local time = redis.call('TIME')
  raised = math.max(highest + 1, time[1] * 1000000 + time[2])
else
  raised = math.max(tonumber(known[is_d and 2 or 3] or '0'), tonumber(ARGV[2]))
end
local text = string.format('%.0f', raised)
redis.call('HSET', KEYS[1], ARGV[1], text)
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
if is_d then return { known[1] or '', text, known[3] or '0' } end
return { known[1] or '', known[2] or '0', text }
