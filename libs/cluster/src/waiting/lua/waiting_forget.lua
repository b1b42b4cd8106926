#!lua
-- Take a session out that is over, unless it has another connection since.
-- KEYS as of waiting_note.lua · ARGV[1] session · [2] generation
-- Reply: 1 taken out · 0 not
local known = string.match(redis.call('HGET', KEYS[1], ARGV[1]) or '0', '^%d+')
if known + 0 > ARGV[2] + 0 then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
return 1
