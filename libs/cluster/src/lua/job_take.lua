#!lua
-- Take jobs for a node: what it holds without knowing of it, what dead nodes hold, then new ones.
-- KEYS[1] jobs, stream: p text; its consumer group "nodes" has a consumer per node
-- ARGV[1] node id · [2] most jobs, from 1 · [3] ms since a dead node took a job, -1: leave dead nodes alone
-- ARGV[4] number of entries that the node knows of, then these, then the ids of the live nodes
-- Reply: {{entry id, text, times taken}, ...}
local key, node, most, idle, known = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
if redis.call('EXISTS', key) == 0 then return {} end
if #redis.call('XINFO', 'GROUPS', key) == 0 then redis.call('XGROUP', 'CREATE', key, 'nodes', '0') end

local skipped, live = {}, { [node] = true }
for i = 5, #ARGV do
  if i < 5 + known then skipped[ARGV[i]] = true else live[ARGV[i]] = true end
end

local jobs = {}
local function claim(consumer, since)
  local held = redis.call('XPENDING', key, 'nodes', 'IDLE', since, '-', '+', most + known, consumer)
  for _, entry in ipairs(held) do
    if #jobs >= most then return end
    if not skipped[entry[1]] then
      local claimed = redis.call('XCLAIM', key, 'nodes', node, 0, entry[1])[1]
      if claimed then jobs[#jobs + 1] = { entry[1], claimed[2][2], entry[4] + 1 } end
    end
  end
end

claim(node, 0)
for _, consumer in ipairs(idle >= 0 and redis.call('XINFO', 'CONSUMERS', key, 'nodes') or {}) do
  local name, pending = consumer[2], consumer[4]
  if not live[name] then
    if pending == 0 then redis.call('XGROUP', 'DELCONSUMER', key, 'nodes', name) else claim(name, idle) end
  end
end

if #jobs < most then
  local read = redis.call('XREADGROUP', 'GROUP', 'nodes', node, 'COUNT', most - #jobs, 'STREAMS', key, '>')
  for _, entry in ipairs(read and read[1][2] or {}) do jobs[#jobs + 1] = { entry[1], entry[2][2], 1 } end
end
return jobs
