#!lua flags=allow-oom
-- Move jobs that were set aside long ago to those that are kept for operators, see job_take.lua and job_bury.lua.
-- KEYS[1] jobs, stream · [2] jobs that failed, sorted set · [3] jobs that were given up, stream: p text, e event, r reason, n attempts
-- ARGV[1] how long ago they were set aside, ms · [2] reason · [3] attempts · [4] most jobs to keep · [5] how long, ms
-- ARGV[6] most jobs to move
-- Reply: number of moved jobs
local key, buried, most = KEYS[1], 0, tonumber(ARGV[6])
if redis.call('EXISTS', key) == 0 or #redis.call('XINFO', 'GROUPS', key) == 0 then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function bury(id)
  local entry = redis.call('XRANGE', key, id, id)[1]
  redis.call('XACK', key, 'nodes', id)
  if not entry then return end
  redis.call('XADD', KEYS[3], '*', 'p', entry[2][2], 'e', entry[2][4] or '', 'r', ARGV[2], 'n', ARGV[3])
  redis.call('XDEL', key, id)
  buried = buried + 1
end

for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', key, 'nodes')) do
  if string.sub(consumer[2], 1, 1) == '?' and consumer[4] > 0 and buried < most then
    local old = redis.call('XPENDING', key, 'nodes', 'IDLE', ARGV[1], '-', '+', most - buried, consumer[2])
    for _, entry in ipairs(old) do bury(entry[1]) end
  end
end
if buried == 0 then return 0 end
redis.call('XTRIM', KEYS[3], 'MAXLEN', ARGV[4])
redis.call('XTRIM', KEYS[3], 'MINID', string.format('%.0f', now - tonumber(ARGV[5])))
redis.call('PEXPIRE', KEYS[3], ARGV[5])
return buried
