#!lua
-- Store a new session.
-- KEYS[1] record
-- ARGV[1] user · [2] generation · [3] how long it lasts, ms · [4] grace of records, ms
-- Reply: {its end, its start, ms since 1970; replication id}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- Before the first write, since it may be refused.
local replid = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
local ends = string.format('%.0f', now + tonumber(ARGV[3]))
local starts = string.format('%.0f', now)
redis.call('HSET', KEYS[1], 'u', ARGV[1], 'g', ARGV[2], 'e', ends, 'b', starts)
redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', ends + tonumber(ARGV[4])))
return { ends, starts, replid or '' }
