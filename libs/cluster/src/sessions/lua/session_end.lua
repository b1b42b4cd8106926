#!lua
-- End a session for good: it can't be resumed any more, and its end is now.
-- KEYS[1] record · KEYS[2] set of rooms it is a member of
-- ARGV[1] only if it began at this time or before, ms since 1970; '' whenever it began · [2] generation of ended sessions
-- ARGV[3] how long that is remembered, ms: longer than any token of the session lasts
-- Reply: {its user, '' unknown; its end, ms since 1970, '0' if it goes on; replication id; 1 if this call ended it, else 0}
local record = redis.call('HMGET', KEYS[1], 'u', 'e', 'x', 'b')
local replid = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)') or ''
if ARGV[1] ~= '' and record[4] and tonumber(record[4]) > tonumber(ARGV[1]) then
  return { record[1] or '', '0', replid, 0 }
end
if record[3] then return { record[1] or '', record[2] or '0', replid, 0 } end
local time = redis.call('TIME')
local ends = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('HSET', KEYS[1], 'x', 1, 'g', ARGV[2], 'e', ends)
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('DEL', KEYS[2])
return { record[1] or '', ends, replid, 1 }
