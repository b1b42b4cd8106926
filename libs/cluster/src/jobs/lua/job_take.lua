#!lua
-- Take jobs for a node: those that it holds without knowing of it, those that others set aside, those of dead nodes,
-- then new ones.
-- A job that the node can't handle is set aside, without an attempt: held by the consumer "?<event>", or, from version 2
-- of packets on, "?<version>?<event>", which only nodes that read that version look into.
-- KEYS[1] jobs, stream: p text, e event (absent in jobs of older nodes); its consumer group "nodes" has a consumer per node
-- KEYS[2] jobs that failed and wait for their next attempt, sorted set: entry id → until when that is believed
-- ARGV[1] node id · [2] most jobs, from 1 · [3] ms since a dead node took a job, -1: leave dead nodes alone
-- ARGV[4] newest version of packets that the node reads, from 1
-- ARGV[5] number of entries that the node knows of · [6] number of events that it handles, -1: all
-- ARGV[7...] these entries, these events, then the ids of the live nodes
-- Reply: {{entry id, text, times taken}, ...}
local key, node, most, idle, newest = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local known, number = tonumber(ARGV[5]), tonumber(ARGV[6])
if redis.call('EXISTS', key) == 0 then return {} end
if #redis.call('XINFO', 'GROUPS', key) == 0 then redis.call('XGROUP', 'CREATE', key, 'nodes', '0') end

local skipped, events, handled, live = {}, {}, {}, { [node] = true }
for i = 7, #ARGV do
  if i < 7 + known then
    skipped[ARGV[i]] = true
  elseif i < 7 + known + number then
    events[#events + 1] = ARGV[i]
    handled[ARGV[i]] = true
  else
    live[ARGV[i]] = true
  end
end

local jobs, read = {}, 0

-- Nodes of a release without this set end jobs and leave them in it.
local time = redis.call('TIME')
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)))

local function eventOf(fields)
  if fields[3] == 'e' then return fields[4] end
  local fine, packet = pcall(cjson.decode, fields[2])
  return fine and type(packet) == 'table' and type(packet.pattern) == 'string' and packet.pattern or nil
end

local function consumerOf(version, event) return (version > 1 and '?' .. version .. '?' or '?') .. event end

-- Keeps a job that was taken, or sets it aside; one without a readable event is for every node that reads its version.
local function keep(id, fields, taken)
  if taken > 1 then redis.call('ZREM', KEYS[2], id) end
  local version = tonumber(string.match(fields[2], '^{"v":([1-9]%d*)[,}]') or 0)
  local event = eventOf(fields)
  if version > newest or (number >= 0 and event and not handled[event]) then
    local aside = consumerOf(version, event or '')
    redis.call('XCLAIM', key, 'nodes', aside, 0, id, 'RETRYCOUNT', taken - 1, 'JUSTID')
  else
    jobs[#jobs + 1] = { id, fields[2], taken }
  end
end

local function claim(consumer, since)
  local held = redis.call('XPENDING', key, 'nodes', 'IDLE', since, '-', '+', most + known, consumer)
  for _, entry in ipairs(held) do
    if #jobs >= most then return end
    if not skipped[entry[1]] then
      local claimed = redis.call('XCLAIM', key, 'nodes', node, 0, entry[1])[1]
      if claimed then keep(entry[1], claimed[2], entry[4] + 1) end
    end
  end
end

claim(node, 0)
for version = 1, newest do
  for _, event in ipairs(events) do claim(consumerOf(version, event), 0) end
  if version > 1 then claim(consumerOf(version, ''), 0) end
end
for _, consumer in ipairs(idle >= 0 and redis.call('XINFO', 'CONSUMERS', key, 'nodes') or {}) do
  local name, pending = consumer[2], consumer[4]
  if not live[name] then
    if pending == 0 then
      redis.call('XGROUP', 'DELCONSUMER', key, 'nodes', name)
    elseif number < 0 or string.sub(name, 1, 1) ~= '?' then
      claim(name, idle)
    end
  end
end

while #jobs < most and read < 1000 do
  local fresh = redis.call('XREADGROUP', 'GROUP', 'nodes', node, 'COUNT', most - #jobs, 'STREAMS', key, '>')
  if not fresh then break end
  for _, entry in ipairs(fresh[1][2]) do keep(entry[1], entry[2], 1) end
  read = read + #fresh[1][2]
end
return jobs
