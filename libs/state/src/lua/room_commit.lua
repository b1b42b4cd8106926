-- Commit to one room: documents change, events are logged and published, commands are recorded; or nothing happens.
--
-- KEYS[1] meta · KEYS[2] documents · KEYS[3] log · KEYS[4] counters · KEYS[5…] one record hash per lane
-- ARGV[1] nonce for a new epoch · [2] channel · [3] log entries to keep · [4] log time to live, ms · [5] idle time
--   to live of the room, ms, 0 never · [6] 1: a conflict counts, 2: judge only · [7] PUBLISH or SPUBLISH · [8] documents ·
--   [9] entries · [10] counter operations; then
--   per document: name · position it was read at, '' never written · new JSON, '' unchanged · entry that changed it
--   per entry: lane (1…) · n · ack · fingerprint · generation · end of the session, ms, 0 for a node's own lane ·
--     epoch of the lane's last reply · number of events · body for the log · outcome to record
--   per counter operation: entry · name · by · lowest · highest ('' no bound)
-- A "\1i\2" in a body or outcome becomes the result of counter operation i.
--
-- Document: "epoch:seq|json". Record: h highest n · a acknowledged · g generation · b birth of the room ·
--   <n> "seq|fingerprint|outcome".
-- Reply: {'committed', epoch, seq, conflicts, replication id, seq of each entry…, result of each counter operation…}
--   {'judged', epoch, seq, 1 if documents differ, replication id, verdict of each entry…, name, document, …}: nothing was written.
-- Verdicts: 'ok' · 'dup|record' · 'reused' · 'order|expected' · 'window' · 'expired' · 'later' · 'bound|operation'
local WINDOW = 32
local NODE_LANE_MS = 900000
local RECORD_GRACE_MS = 3600000

local room, refusal = open_room(KEYS[1], ARGV[1])
if not room then return refusal end
local channel, keep, history_ms, idle_ms = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local cursor = 10
local function take(count)
  local from = cursor + 1
  cursor = cursor + count
  return unpack(ARGV, from, cursor)
end

local documents, entries, operations, lanes = {}, {}, {}, {}
for i = 1, tonumber(ARGV[8]) do
  local name, base, json, entry = take(4)
  documents[i] = { name = name, base = base, json = json, entry = tonumber(entry) }
end
for i = 1, tonumber(ARGV[9]) do
  local lane, n, ack, print, generation, ends, epoch, events, body, outcome = take(10)
  entries[i] = {
    lane = tonumber(lane), n = tonumber(n), ack = tonumber(ack), print = print, generation = tonumber(generation),
    ends = tonumber(ends), epoch = epoch, events = tonumber(events), body = body, outcome = outcome
  }
end
for i = 1, tonumber(ARGV[10]) do
  local entry, name, by, low, high = take(5)
  operations[i] = { entry = tonumber(entry), name = name, by = tonumber(by), low = tonumber(low), high = tonumber(high) }
end

local function lane_of(entry)
  local lane = lanes[entry.lane]
  if not lane then
    local key = KEYS[4 + entry.lane]
    local fields = redis.call('HMGET', key, 'h', 'a', 'g', 'b')
    lane = { key = key, ack = tonumber(fields[2] or '0'), generation = tonumber(fields[3] or '0'), birth = fields[4] }
    lane.stored = tonumber(fields[1])
    lane.highest = lane.stored or 0
    lanes[entry.lane] = lane
  end
  return lane
end

local function judge_repeat(entry, lane)
  if entry.n > (lane.stored or 0) then return 'later' end
  local record = redis.call('HGET', lane.key, entry.n)
  if not record then return 'dup|' end
  if string.match(record, '^%d+|([^|]*)|') ~= entry.print then return 'reused' end
  return 'dup|' .. record
end

local function judge(entry)
  local lane = lane_of(entry)
  if entry.ends > 0 and now > entry.ends then return 'expired' end
  if entry.generation < lane.generation then return 'expired' end
  if lane.stored and lane.birth ~= room.birth then return 'expired' end
  if entry.n <= lane.highest then return judge_repeat(entry, lane) end
  if entry.n > lane.highest + 1 then
    if lane.highest == 0 and not epoch_end(room, entry.epoch) then return 'expired' end
    return 'order|' .. (lane.highest + 1)
  end
  if entry.ends > 0 and entry.n > math.max(lane.ack, entry.ack) + WINDOW then return 'window' end
  lane.highest = entry.n
  lane.generation = entry.generation
  lane.ends = entry.ends
  lane.trim = math.min(math.max(lane.trim or 0, entry.ack), entry.n - 1)
  return 'ok'
end

-- Judge everything before anything is written (R2).
local verdicts, refused = {}, false
for i, entry in ipairs(entries) do
  verdicts[i] = judge(entry)
  if verdicts[i] ~= 'ok' then refused = true end
end
local values, results = {}, {}
for i, op in ipairs(operations) do
  if verdicts[op.entry] == 'ok' then
    local value = (values[op.name] or tonumber(redis.call('HGET', KEYS[4], op.name) or '0')) + op.by
    if (op.low and value < op.low) or (op.high and value > op.high) or math.abs(value) > 9007199254740991 then
      verdicts[op.entry] = 'bound|' .. i
      refused = true
    else
      values[op.name] = value
      results[i] = string.format('%.0f', value)
    end
  end
end
local conflict, current = false, {}
for i, document in ipairs(documents) do
  current[i] = redis.call('HGET', KEYS[2], document.name)
  local base = current[i] and string.match(current[i], '^([^|]*)|') or ''
  if base ~= document.base then conflict = true end
end
if refused or conflict or ARGV[6] == '2' then
  if conflict and ARGV[6] == '1' then redis.call('HINCRBY', KEYS[1], 'c', 1) end
  local reply = { 'judged', room.epoch, room.seq, conflict and 1 or 0, room.replid, unpack(verdicts) }
  for i, document in ipairs(documents) do
    reply[#reply + 1] = document.name
    reply[#reply + 1] = current[i] or ''
  end
  return reply
end

-- Write. The log goes first: it refuses a sequence that went backwards, before anything else is changed.
local function fill(text)
  if #operations == 0 then return text end
  return (string.gsub(text, '\1(%d+)\2', function(i) return results[tonumber(i)] end))
end
local first, published = room.seq + 1, {}
for _, entry in ipairs(entries) do
  if entry.events > 0 then
    room.seq = room.seq + entry.events
    local body = fill(entry.body)
    redis.call('XADD', KEYS[3], 'MAXLEN', '~', keep, room.number .. '-' .. room.seq, 'd', body)
    published[#published + 1] = body
  end
  entry.seq = room.seq
end
for _, document in ipairs(documents) do
  if document.json ~= '' then
    redis.call('HSET', KEYS[2], document.name, room.epoch .. ':' .. entries[document.entry].seq .. '|' .. document.json)
  end
end
for name, value in pairs(values) do redis.call('HSET', KEYS[4], name, string.format('%.0f', value)) end

local fields = {}
for _, entry in ipairs(entries) do
  local list = fields[entry.lane] or {}
  fields[entry.lane] = list
  list[#list + 1] = entry.n
  list[#list + 1] = entry.seq .. '|' .. entry.print .. '|' .. fill(entry.outcome)
end
for index, lane in pairs(lanes) do
  redis.call('HSET', lane.key, 'h', lane.highest, 'a', math.max(lane.ack, lane.trim), 'g', lane.generation,
    'b', room.birth, unpack(fields[index]))
  local done = {}
  for n = lane.ack + 1, lane.trim do done[#done + 1] = n end
  if #done > 0 then redis.call('HDEL', lane.key, unpack(done)) end
  if lane.ends == 0 then
    redis.call('PEXPIRE', lane.key, NODE_LANE_MS)
  elseif not lane.stored then
    redis.call('PEXPIREAT', lane.key, lane.ends + RECORD_GRACE_MS)
  end
end
if #published > 0 then
  redis.call('HSET', KEYS[1], 's', room.seq, 'c', 0)
  redis.call('PEXPIRE', KEYS[3], history_ms)
  if idle_ms > 0 then
    local at = string.format('%.0f', now + idle_ms)
    for _, i in ipairs({ 1, 2, 4 }) do redis.call('PEXPIREAT', KEYS[i], at) end
    redis.call('PEXPIREAT', KEYS[3], at, 'LT')
  end
  redis.call(ARGV[7], channel, room.epoch .. ':' .. room.seq .. ' ' .. first .. '\n' .. table.concat(published, '\n'))
end

local reply = { 'committed', room.epoch, room.seq, room.conflicts, room.replid }
for _, entry in ipairs(entries) do reply[#reply + 1] = entry.seq end
for i = 1, #operations do reply[#reply + 1] = results[i] end
return reply
