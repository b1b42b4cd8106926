#!lua
-- End a session that has no connection, and keep nothing of it, unless it was resumed meanwhile.
-- KEYS[1] record · KEYS[2] set of rooms it is a member of
-- ARGV[1] user · [2] generation of the connection that it lost
-- Reply: {'0', 0} it goes on, or its end has come already · {now, ms since 1970; 1 if it was there}
local record = redis.call('HMGET', KEYS[1], 'u', 'g', 'x', 'e')
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
if not record[2] then return { now, 0 } end
if record[3] or now + 0 >= tonumber(record[4] or now) then return { '0', 0 } end
if record[1] ~= ARGV[1] or record[2] ~= ARGV[2] then return { '0', 0 } end
redis.call('DEL', KEYS[1], KEYS[2])
return { now, 1 }
