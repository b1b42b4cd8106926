#!lua flags=allow-oom
-- Move a job that is given up to those that are kept for operators, whichever node holds it.
-- KEYS[1] jobs, stream · [2] jobs that failed, sorted set · [3] jobs that were given up, stream: p text, e event, r reason, n attempts
-- ARGV[1] entry id · [2] reason · [3] attempts · [4] most jobs to keep · [5] how long, ms
-- Reply: 1 moved, 0 gone already
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local entry = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
redis.call('XACK', KEYS[1], 'nodes', ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
if not entry then return 0 end
local text, event = entry[2][2], entry[2][4] or ''
redis.call('XADD', KEYS[3], '*', 'p', text, 'e', event, 'r', ARGV[2], 'n', ARGV[3])
redis.call('XTRIM', KEYS[3], 'MAXLEN', ARGV[4])
redis.call('XTRIM', KEYS[3], 'MINID', string.format('%.0f', now - tonumber(ARGV[5])))
redis.call('PEXPIRE', KEYS[3], ARGV[5])
redis.call('XDEL', KEYS[1], ARGV[1])
return 1
