-- Commit to one room: documents change, events are logged and published, commands are recorded; or nothing happens.
--
-- KEYS[1] meta · KEYS[2] documents · KEYS[3] log · KEYS[4] counters · KEYS[5…] record hash of each entry's lane
-- ARGV[1] nonce for a new epoch · [2] channel · [3] log entries to keep · [4] log time to live, ms · [5] idle time
--   to live of the room, ms, 0 never · [6] "@node": it stands in line when others write the room too, 2: judge only,
--   0 neither · [7] PUBLISH or SPUBLISH · [8] documents · [9] entries; then
--   per document: name · position it was read at, '' never written · new JSON, '' unchanged · entry that changed it
--   per entry: n · ack · generation · end of the session, ms, 0 for a node's own lane · epoch of the lane's last
--     reply · body for the log, '' none · record "fingerprint|outcome"
--   per counter operation: entry · name · by · lowest · highest ('' no bound)
-- A "\1i\2" in a body or outcome becomes the result of counter operation i.
--
-- Document: "epoch:seq|json". Record hash: h "highest n, acknowledged n, generation, birth of the room" ·
--   <n> "seq|fingerprint|outcome".
-- Reply: {'committed epoch seq ahead replid', result of each counter operation…}; ahead counts the nodes whose turn
--   comes before the next one of this node
--   {'judged epoch seq ahead replid', verdict of each entry…, name, document, …}: nothing was written; ahead is '-' if
--   no document differs, '?' if some do and the node is not in the line.
-- Verdicts: 'ok' · 'dup|record' · 'reused' · 'order|expected' · 'window' · 'expired' · 'later' · 'bound|operation'
local WINDOW = 32
local NODE_LANE_MS = '900000'
local RECORD_GRACE_MS = 3600000
local DOCUMENT, ENTRY, OPERATION = 4, 7, 5

local room, refusal = open_room(KEYS[1], ARGV[1])
if not room then return refusal end
local time = call('TIME')
local now = time[1] * 1000 + time[2] / 1000

local documents_from = 10
local documents_to = documents_from + DOCUMENT * ARGV[8] - 1
local entries_from = documents_to + 1
local entries = ARGV[9] + 0
local operations_from = entries_from + ENTRY * entries
local operations = (#ARGV + 1 - operations_from) / OPERATION

-- A text in arithmetic becomes a number at a third less than by tonumber.
local lanes = {}
local function lane_of(key)
  local head = call('HGET', key, 'h')
  local highest, ack, generation, birth = '0', '0', '0', nil
  if head then highest, ack, generation, birth = string.match(head, '^(%d+) (%d+) (%d+) (%S+)$') end
  highest = highest + 0
  local lane = {
    stored = highest, highest = highest, ack = ack + 0, acked = ack + 0, acked_digits = ack, generation = generation,
    birth = birth
  }
  lanes[key] = lane
  return lane
end

local function judge_repeat(lane, key, n, at)
  if n > lane.stored then return 'later' end
  local record = call('HGET', key, ARGV[at])
  if not record then return 'dup|' end
  if string.match(record, '^%d+|([^|]*)|') ~= string.match(ARGV[at + 6], '^([^|]*)|') then return 'reused' end
  return 'dup|' .. record
end

local function judge(key, at)
  local lane = lanes[key] or lane_of(key)
  local n, ack, generation, ends = ARGV[at] + 0, ARGV[at + 1] + 0, ARGV[at + 2], ARGV[at + 3]
  if ends ~= '0' and now > ends + 0 then return 'expired' end
  if generation ~= lane.generation and generation + 0 < lane.generation + 0 then return 'expired' end
  if lane.birth and lane.birth ~= room.birth then return 'expired' end
  if n <= lane.highest then return judge_repeat(lane, key, n, at) end
  if n > lane.highest + 1 then
    if lane.highest == 0 and not epoch_end(KEYS[1], ARGV[at + 4]) then return 'expired' end
    return 'order|' .. (lane.highest + 1)
  end
  if ends ~= '0' and n > lane.ack + WINDOW and n > ack + WINDOW then return 'window' end
  lane.highest = n
  lane.newest = at
  lane.generation = generation
  if ack > lane.acked then
    lane.acked, lane.acked_digits = ack, ARGV[at + 1]
    if ack >= n then lane.acked, lane.acked_digits = n - 1, string.format('%d', n - 1) end
  end
  return 'ok'
end

-- Judge everything before anything is written (R2).
local verdicts, refused, last_logged = {}, false, 0
for i = 1, entries do
  local at = entries_from + ENTRY * (i - 1)
  local verdict = judge(KEYS[4 + i], at)
  verdicts[i] = verdict
  if verdict ~= 'ok' then refused = true end
  if ARGV[at + 5] ~= '' then last_logged = i end
end
local values, results = {}, {}
for i = 1, operations do
  local at = operations_from + OPERATION * (i - 1)
  local entry, name, low, high = tonumber(ARGV[at]), ARGV[at + 1], tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  if verdicts[entry] == 'ok' then
    local value = (values[name] or tonumber(call('HGET', KEYS[4], name) or '0')) + tonumber(ARGV[at + 2])
    if (low and value < low) or (high and value > high) or math.abs(value) > 9007199254740991 then
      verdicts[entry] = 'bound|' .. i
      refused = true
    else
      values[name] = value
      results[i] = string.format('%.0f', value)
    end
  end
end
local conflict, current = false, {}
for at = documents_from, documents_to, DOCUMENT do
  local document, base = call('HGET', KEYS[2], ARGV[at]), ARGV[at + 1]
  current[at] = document
  if document then
    if base == '' or string.sub(document, 1, #base + 1) ~= base .. '|' then conflict = true end
  elseif base ~= '' then
    conflict = true
  end
end
local node = string.match(ARGV[6], '^@(.+)$')
if refused or conflict or ARGV[6] == '2' then
  local ahead = conflict and '?' or '-'
  if conflict and node then
    local nodes = nodes_of(room.line)
    local place = place_of(nodes, node)
    if not place and #nodes < MOST_WAITING then
      place = #nodes + 1
      nodes[place] = node
      call('HSET', KEYS[1], 's', room.digits .. line_of(nodes))
    end
    if place then ahead = string.format('%d', place - 1) end
  end
  local reply = { 'judged ' .. room.epoch .. ' ' .. room.digits .. ' ' .. ahead .. ' ' .. room.replid }
  for i = 1, entries do reply[i + 1] = verdicts[i] end
  for at = documents_from, documents_to, DOCUMENT do
    reply[#reply + 1] = ARGV[at]
    reply[#reply + 1] = current[at] or ''
  end
  return reply
end

-- Write. The log goes first: it refuses a sequence that went backwards, before anything else is changed.
local function fill(text)
  if operations == 0 then return text end
  return (string.gsub(text, '\1(%d+)\2', function(i) return results[tonumber(i)] end))
end
local first, digits, seqs, published = room.seq + 1, room.digits, {}, {}
for i = 1, entries do
  local body = ARGV[entries_from + ENTRY * (i - 1) + 5]
  if body ~= '' then
    body = fill(body)
    room.seq = room.seq + string.match(body, '^%d+')
    digits = string.format('%d', room.seq)
    if i == last_logged then
      call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[3], room.number .. '-' .. digits, 'd', body)
    else
      call('XADD', KEYS[3], room.number .. '-' .. digits, 'd', body)
    end
    published[#published + 1] = body
  end
  seqs[i] = digits
end
for at = documents_from, documents_to, DOCUMENT do
  if ARGV[at + 2] ~= '' then
    local stored = room.epoch .. ':' .. seqs[tonumber(ARGV[at + 3])] .. '|' .. ARGV[at + 2]
    call('HSET', KEYS[2], ARGV[at], stored)
    current[at] = stored
  end
end
for name, value in pairs(values) do call('HSET', KEYS[4], name, string.format('%.0f', value)) end

-- The numbers that are acknowledged now and were not before: their records go.
local function trim(key, lane)
  if lane.acked == lane.ack + 1 then
    call('HDEL', key, lane.acked_digits)
  elseif lane.acked > lane.ack then
    local done = {}
    for n = lane.ack + 1, lane.acked do done[#done + 1] = n end
    call('HDEL', key, unpack(done))
  end
end
for i = 1, entries do
  local key, at = KEYS[4 + i], entries_from + ENTRY * (i - 1)
  local lane, n = lanes[key], ARGV[at]
  local record = seqs[i] .. '|' .. fill(ARGV[at + 6])
  if lane.newest ~= at then
    call('HSET', key, n, record)
  else
    local head = n .. ' ' .. lane.acked_digits .. ' ' .. ARGV[at + 2] .. ' ' .. room.birth
    call('HSET', key, 'h', head, n, record)
    trim(key, lane)
    if ARGV[at + 3] == '0' then
      call('PEXPIRE', key, NODE_LANE_MS)
    elseif not lane.birth then
      call('PEXPIREAT', key, string.format('%d', ARGV[at + 3] + RECORD_GRACE_MS))
    end
  end
end
-- Was the node called, or did it overtake who was? Then the next one is called, and the node stands last.
local ahead, waiting = '0', ''
if room.line then
  local nodes = nodes_of(room.line)
  local place = node and place_of(nodes, node)
  if place then table.remove(nodes, place) end
  if place and place > 1 then table.remove(nodes, 1) end
  if node and #nodes > 0 and #nodes < MOST_WAITING then nodes[#nodes + 1] = node end
  if place then
    local news = { room.epoch .. ':' .. digits }
    for at = documents_from, documents_to, DOCUMENT do
      if current[at] then news[#news + 1] = '\n' .. ARGV[at] .. '\n' .. current[at] end
    end
    call_first(nodes, node, ARGV[7], ARGV[2], news)
  end
  waiting = line_of(nodes)
  ahead = string.format('%d', node and nodes[#nodes] == node and #nodes - 1 or #nodes)
end
if room.line or #published > 0 then call('HSET', KEYS[1], 's', digits .. waiting) end
if #published > 0 then
  call('PEXPIRE', KEYS[3], ARGV[4])
  if ARGV[5] ~= '0' then
    local at = string.format('%d', now + ARGV[5])
    for _, i in ipairs({ 1, 2, 4 }) do call('PEXPIREAT', KEYS[i], at) end
    call('PEXPIREAT', KEYS[3], at, 'LT')
  end
  local from = first == room.seq and digits or string.format('%d', first)
  call(ARGV[7], ARGV[2], room.epoch .. ':' .. digits .. ' ' .. from .. '\n' .. table.concat(published, '\n'))
end

local reply = { 'committed ' .. room.epoch .. ' ' .. digits .. ' ' .. ahead .. ' ' .. room.replid }
for i = 1, operations do reply[i + 1] = results[i] end
return reply
