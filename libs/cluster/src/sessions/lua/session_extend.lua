#!lua
-- Move the end of a session, unless it was ended for good.
-- KEYS[1] record · KEYS[2] set of rooms with numbered commands · KEYS[3] set of rooms it is a member of
-- ARGV[1] how long it lasts from now on, ms · [2] grace of records, ms
-- Reply: its end, ms since 1970; '0' if it was ended
if redis.call('HGET', KEYS[1], 'x') then return '0' end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ends = string.format('%.0f', now + tonumber(ARGV[1]))
redis.call('HSET', KEYS[1], 'e', ends)
local at = string.format('%.0f', ends + tonumber(ARGV[2]))
for i = 1, 3 do redis.call('PEXPIREAT', KEYS[i], at) end
return ends
