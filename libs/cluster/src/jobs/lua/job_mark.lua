#!lua flags=allow-oom
-- Note if a job waits for its next attempt after one that failed, unless another node holds it by now.
-- KEYS[1] jobs, stream · [2] jobs that failed, sorted set: entry id → until when that is believed, ms since 1970
-- ARGV[1] entry id · [2] node id · [3] for how long that is believed, ms; 0: its next attempt begins
-- Reply: 1 noted, 0 the node does not hold it
local believed = tonumber(ARGV[3])
if redis.call('EXISTS', KEYS[1]) == 0 or #redis.call('XINFO', 'GROUPS', KEYS[1]) == 0 then return 0 end
local held = redis.call('XPENDING', KEYS[1], 'nodes', ARGV[1], ARGV[1], 1)[1]
if not held or held[2] ~= ARGV[2] then return 0 end
if believed == 0 then
  redis.call('ZREM', KEYS[2], ARGV[1])
  return 1
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[2], string.format('%.0f', now + believed), ARGV[1])
return 1
