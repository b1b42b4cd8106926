#!lua
-- Take a session over: raise its generation and move its end.
-- KEYS[1] record · KEYS[2] set of rooms with numbered commands · KEYS[3] set of rooms it is a member of
-- ARGV[1] user · [2] generation in the token · [3] end in the token, ms · [4] how long it lasts from now on, ms
-- ARGV[5] grace of records, ms
-- Reply: {new generation, or 0 when the session is another user's, revoked or over; its end, ms; 1 if it has forgotten
--   numbered commands of rooms, else 0}. The sets are read in parts by the caller: they may be large.
local record = redis.call('HMGET', KEYS[1], 'u', 'g', 'e', 'x', 'f')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if record[1] and record[1] ~= ARGV[1] then return { 0, '0', 0 } end
if record[4] or now > tonumber(record[3] or ARGV[3]) then return { 0, '0', 0 } end
local generation = math.max(tonumber(record[2] or '0'), tonumber(ARGV[2])) + 1
local ends = string.format('%.0f', now + tonumber(ARGV[4]))
redis.call('HSET', KEYS[1], 'u', ARGV[1], 'g', generation, 'e', ends)
local at = string.format('%.0f', ends + tonumber(ARGV[5]))
for i = 1, 3 do redis.call('PEXPIREAT', KEYS[i], at) end
return { generation, ends, record[5] and 1 or 0 }
