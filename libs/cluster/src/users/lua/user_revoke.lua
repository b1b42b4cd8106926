#!lua
-- Revoke a user; of several revocations the latest counts (R39).
-- KEYS[1] standing, see user_raise.lua
-- ARGV[1] when, ms since 1970; '' for now · [2] how long it is kept after that, ms
-- Reply: {r; d; g; replication id}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- Before the first write, since it may be refused.
local replid = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
local known = redis.call('HMGET', KEYS[1], 'r', 'd', 'g')
local at = math.max(tonumber(known[1] or '0'), ARGV[1] == '' and now or tonumber(ARGV[1]))
local text = string.format('%.0f', at)
redis.call('HSET', KEYS[1], 'r', text)
-- A repeated one may be over already.
local left = math.max(1, at + tonumber(ARGV[2]) - now)
if redis.call('PTTL', KEYS[1]) < left then redis.call('PEXPIRE', KEYS[1], string.format('%.0f', left)) end
return { text, known[2] or '0', known[3] or '0', replid or '' }
