-- Commit to one room: documents change, events are logged and published, commands are recorded; or nothing happens.
--
-- KEYS[5…] record hash of each entry's lane
-- Every argument costs the driver and Redis more than taking it apart does here, so there are few:
-- ARGV[1] "mode entries documents events publish ttl idle keep nonce": "@node", which joins the queue of writers
--   when others write the room too, 2 judge only, 0 neither; how many entries, documents and events there are; PUBLISH or SPUBLISH; how
--   long the log is kept, ms; idle, see room_life.lua; how many events the log keeps at least;
--   nonce for a new epoch
-- ARGV[2] bodies of the entries that have events, LF between them
-- then one per entry: "n ack generation ends epoch length|fingerprint|outcome": end of the session, ms, or that
--   of a node's own lane below zero, 0 as of its entry before; epoch of the lane's last reply or nothing; bytes of its body, 0 if it has no events
-- then one per document: "entry base length name|json": the entry that changed it; position it was read at, nothing if
--   never written; bytes of the name; nothing for JSON that is unchanged
-- then one per counter operation: "entry by lowest highest name", "-" for no bound
-- A "\1i\2" in a body or outcome becomes the result of counter operation i.
--
-- Log: one stream entry per entry that has events (R16), id "epoch number-last sequence number", d body; it begins
--   with the number of its events.
-- Document: "epoch:seq|json". A record is "seq|fingerprint|outcome".
-- Record hash: h "highest n, acknowledged n, generation, birth of the room, record of the highest n" · <n> record of an
--   older one that is not acknowledged.
-- Reply: 'committed epoch seq ahead replid lost[ unheard]', or a list that begins with it: result of each counter
--   operation…; ahead counts the nodes that are to write before this one does again; lost, once: letters of the
--   parts that Redis has lost, as in room_life.lua, m for the meta, or '-'; unheard: everything is written, but a
--   publication was refused
--   {'judged epoch seq ahead replid lost', verdict of each entry…, name, document, …}: nothing was written; ahead is '-' if
--   no document differs, '?' if some do and the node is not in the queue.
--   'again': nothing was written, for the log held a commit that was written in part; the room goes on behind it in a
--   new epoch.
-- Verdicts: 'ok' · 'dup|record' · 'reused' · 'order|expected' · 'window' · 'expired' · 'later' · 'bound|operation'
local WINDOW = 32
local RECORD_GRACE_MS = 3600000
-- The log is trimmed when its numbers pass a multiple of this.
local TRIM_EVERY = 64
-- Keys are kept this part of their time longer than they must be, so that not every commit has to.
local SLACK = 1 / 16
local match, sub = string.match, string.sub

local mode, entries, documents, total, publish, lifetimes, ttl, idle_text =
  match(ARGV[1], '^(%S+) (%d+) (%d+) (%d+) (%S+) ((%S+) (%S+))')
local room, refusal = open_room(idle_text)
if not room then return refusal end
entries, documents = entries + 0, documents + 0
local documents_from = 2 + entries
local operations_from = documents_from + documents
local operations = #ARGV - operations_from
-- The meta's key is the channel and ":m".
local channel = sub(KEYS[1], 1, -3)

-- A text in arithmetic becomes a number at a third less than by tonumber.
local lanes, foreign = {}, false
local function lane_of(key)
  local head = call('HGET', key, 'h')
  local digits, ack, generation, birth, record_at = '0', '0', '0', nil, nil
  if head then digits, ack, generation, birth, record_at = match(head, '^(%d+) (%d+) (%d+) (%S+) ()') end
  if not digits then foreign, digits, ack, generation = true, '0', '0', '0' end
  local highest, acked = digits + 0, ack + 0
  local lane = {
    stored = highest, highest = highest, digits = digits, ack = acked, acked = acked, acked_digits = ack,
    generation = generation, birth = birth, head = head, record_at = record_at
  }
  lanes[key] = lane
  return lane
end

local function judge_repeat(lane, key, n, digits, record_from)
  if n > lane.stored then return 'later' end
  local record
  if n == lane.stored then record = sub(lane.head, lane.record_at) else record = call('HGET', key, digits) end
  if not record then return 'dup|' end
  if sub(record, 1, 1) == 'v' then foreign = true end
  if match(record, '^[^|]*|([^|]*)|') ~= match(record_from, '|([^|]*)|') then return 'reused' end
  return 'dup|' .. record
end

local numbers, records, sizes = {}, {}, {}
local function judge(key, i)
  local digits, acks, generation, ends, epoch, size, at =
    match(ARGV[2 + i], '^(%d+) (%d+) (%d+) (%S+) (%S*) (%d+)()')
  local lane, n, ack = lanes[key] or lane_of(key), digits + 0, acks + 0
  sizes[i] = size + 0
  if ends ~= '0' then
    local ends_at = ends + 0
    -- A node's lane ends no later than its record goes, or that there is none would prove nothing (R30).
    if now > (ends_at < 0 and -ends_at or ends_at) or -ends_at > now + NODE_LANE_MS then return 'expired' end
    lane.ends_at = ends_at
  elseif not lane.ends_at then
    return 'expired'
  end
  if generation ~= lane.generation and generation + 0 < lane.generation + 0 then return 'expired' end
  if lane.birth and lane.birth ~= room.birth then return 'expired' end
  if n <= lane.highest then return judge_repeat(lane, key, n, digits, ARGV[2 + i]) end
  if n > lane.highest + 1 then
    if lane.highest == 0 and not epoch_end(KEYS[1], epoch) then return 'expired' end
    return 'order|' .. (lane.highest + 1)
  end
  if lane.ends_at > 0 and n > lane.ack + WINDOW and n > ack + WINDOW then return 'window' end
  numbers[i], records[i] = digits, sub(ARGV[2 + i], at)
  lane.highest, lane.newest, lane.generation = n, i, generation
  if ack > lane.acked then
    lane.acked, lane.acked_digits = ack, acks
    if ack >= n then lane.acked, lane.acked_digits = n - 1, string.format('%d', n - 1) end
  end
  return 'ok'
end

-- Judge everything before anything is written (R2).
local verdicts, refused = {}, false
for i = 1, entries do
  local verdict = judge(KEYS[4 + i], i)
  verdicts[i] = verdict
  if verdict ~= 'ok' then refused = true end
end
if foreign then return redis.error_reply('NEWFORMAT a newer release keeps records of this room in another form') end
local values, results = {}, {}
for i = 1, operations do
  local entry, by, low, high, name = match(ARGV[operations_from + i], '^(%d+) (%S+) (%S+) (%S+) (.*)$')
  entry, low, high = tonumber(entry), tonumber(low), tonumber(high)
  if verdicts[entry] == 'ok' then
    local value = values[name]
    if not value then
      value = call('HGET', KEYS[4], name)
      if not value then find_lost(room) end
      value = (value or 0) + 0
    end
    value = value + by
    if (low and value < low) or (high and value > high) or math.abs(value) > 9007199254740991 then
      verdicts[entry] = 'bound|' .. i
      refused = true
    else
      values[name] = value
      results[i] = string.format('%.0f', value)
    end
  end
end
local conflict, names, json_from, changed_by, current = false, {}, {}, {}, {}
for i = 1, documents do
  local entry, base, length, at = match(ARGV[documents_from + i], '^(%d+) (%S*) (%d+) ()')
  local bar = at + length
  local name = sub(ARGV[documents_from + i], at, bar - 1)
  local document = call('HGET', KEYS[2], name)
  names[i], json_from[i], changed_by[i], current[i] = name, bar, entry + 0, document
  if document then
    if base == '' or sub(document, 1, #base + 1) ~= base .. '|' then conflict = true end
  else
    find_lost(room)
    if base ~= '' then conflict = true end
  end
end
local node = sub(mode, 1, 1) == '@' and sub(mode, 2)
if refused or conflict or mode == '2' then
  local ahead = conflict and '?' or '-'
  if conflict and node then
    local nodes = nodes_in(room.queue)
    local place = place_of(nodes, node)
    if not place and #nodes < MOST_WAITING then
      place = #nodes + 1
      nodes[place] = node
      call('HSET', KEYS[1], 's', room.digits .. queue_text(nodes))
    end
    if place then ahead = string.format('%d', place - 1) end
  end
  local reply = { 'judged ' .. room.epoch .. ' ' .. room.digits .. ' ' .. ahead .. ' ' .. room.replid .. ' ' .. room.lost }
  for i = 1, entries do reply[i + 1] = verdicts[i] end
  for i = 1, documents do
    reply[#reply + 1] = names[i]
    reply[#reply + 1] = current[i] or ''
  end
  return reply
end
-- A stream entry of several events leaps over numbers, which must be free too; where it has one, its id tells.
local text, events = ARGV[2], total + 0
if events > 1 and sub(text, 1, 2) ~= '1\n' and sub(text, 1, 3) ~= '1+\n' then
  if call('XREAD', 'COUNT', 1, 'STREAMS', KEYS[3], room.number .. '-' .. room.digits) then
    life_of(room).open_epoch()
    return 'again'
  end
end

-- The oldest id that the log must keep, after the epoch that had the event.
local function trim_before(seq)
  local number, known, is_first = room.number, 0, true
  for past, nonce, last in string.gmatch(call('HGET', KEYS[1], 'l') or '', '(%d+)%.([^@,]*)@(%d+)') do
    if last + 0 < seq then return number .. '-' .. string.format('%d', seq) end
    number, known, is_first = past, known + 1, nonce ~= ''
  end
  -- An epoch before a loss, or before the oldest epochs that are kept, is known by the log alone: nothing is trimmed.
  if known == 64 or not is_first then return '0-1' end
  return number .. '-' .. string.format('%d', seq)
end

-- Write. Nothing from here on depends on rights or settings (R35): the log goes first, because it alone may refuse, and
-- then nothing is changed; what all of it stands for is complete with the meta; expiries and publications come last.
local function fill(text)
  if operations == 0 then return text end
  return (string.gsub(text, '\1(%d+)\2', function(i) return results[tonumber(i)] end))
end
local append, last = redis.pcall, room.seq + events
local oldest = last % TRIM_EVERY < events and last - match(ARGV[1], '(%d+) %S+$') or 0
-- Sequence number of each entry, as text: that of its last event.
local seqs, seq, digits, from = {}, room.seq, room.digits, 1
-- Parts that are new.
local created = ''
for i = 1, entries do
  local size = sizes[i]
  if size > 0 then
    local body = sub(text, from, from + size - 1)
    from = from + size + 1
    seq = seq + match(body, '^%d+')
    digits = string.format('%d', seq)
    local id = room.number .. '-' .. digits
    local added
    if oldest > 0 and seq == last then
      added = append('XADD', KEYS[3], 'NOMKSTREAM', 'MINID', '~', trim_before(oldest), id, 'd', fill(body))
    else
      added = append('XADD', KEYS[3], 'NOMKSTREAM', id, 'd', fill(body))
    end
    if not added then
      created, added = 'x', append('XADD', KEYS[3], id, 'd', fill(body))
    end
    if append ~= call then
      if added ~= id then
        if not string.find(added.err, 'equal or smaller', 1, true) then return added end
        life_of(room).open_epoch()
        return 'again'
      end
      append = call
    end
  end
  seqs[i] = digits
end

-- True if the room's keys must be kept longer; and from when on they would have to be.
local due = not room.fresh or room.kept ~= lifetimes
for i = 1, documents do
  local json = sub(ARGV[documents_from + i], json_from[i])
  if json ~= '|' then
    local document = room.epoch .. ':' .. seqs[changed_by[i]] .. json
    if call('HSET', KEYS[2], names[i], document) > 0 then created = created .. 'd' end
    current[i] = document
  end
end
for name, value in pairs(values) do
  if call('HSET', KEYS[4], name, string.format('%.0f', value)) > 0 then created = created .. 'v' end
end
local named_until = 0
local function write_lane(key, lane, n, record)
  local head = n .. ' ' .. lane.acked_digits .. ' ' .. lane.generation .. ' ' .. room.birth .. ' ' .. record
  if lane.stored > lane.acked then
    call('HSET', key, 'h', head, lane.digits, sub(lane.head, lane.record_at))
  else
    call('HSET', key, 'h', head)
  end
end
-- The numbers that are acknowledged now and were not before: their records go.
local function tidy_lane(key, lane)
  local to = math.min(lane.acked, lane.stored - 1)
  if lane.ack < to then
    local done = {}
    for n = lane.ack + 1, to do done[#done + 1] = n end
    call('HDEL', key, unpack(done))
  end
  if lane.ends_at < 0 then
    call('PEXPIRE', key, NODE_LANE_MS)
  elseif not lane.birth then
    local at = lane.ends_at + RECORD_GRACE_MS
    call('PEXPIREAT', key, string.format('%d', at))
    if at > named_until then named_until = at end
  end
end
local untidy
for i = 1, entries do
  local key, n, record = KEYS[4 + i], numbers[i], seqs[i] .. fill(records[i])
  local lane = lanes[key]
  if lane.newest == i then
    write_lane(key, lane, n, record)
    if not lane.birth or lane.ends_at < 0 or (lane.acked > lane.ack and lane.stored > lane.ack + 1) then
      untidy = untidy or {}
      untidy[key] = lane
    end
  elseif n + 0 > lane.acked then
    call('HSET', key, n, record)
  end
end
-- Was the node called, or did it overtake who was? Then the next one is called, and the node stands last.
local ahead, waiting, nodes, place = '0', '', nil, nil
if room.queue then
  nodes = nodes_in(room.queue)
  place = node and place_of(nodes, node)
  if place then table.remove(nodes, place) end
  if place and place > 1 then table.remove(nodes, 1) end
  if node and #nodes > 0 and #nodes < MOST_WAITING then nodes[#nodes + 1] = node end
  waiting = queue_text(nodes)
  ahead = node and nodes[#nodes] == node and #nodes - 1 or #nodes
end
local moves, stubs, idle, due_from = due and events > 0, nil, nil, nil
if moves then
  idle, stubs = match(idle_text, '^(%d+)(%+?)$')
  idle, ttl = idle + 0, ttl + 0
  due_from = math.floor(now + (idle > 0 and math.min(ttl, idle) or ttl) * SLACK)
  local history = room.replid .. ' ' .. room.birth .. ' ' .. room.epoch .. ' ' .. string.format('%d', due_from)
  call('HSET', KEYS[1], 's', digits .. waiting, 'e', history .. ' ' .. lifetimes)
elseif events > 0 or room.queue then
  call('HSET', KEYS[1], 's', digits .. waiting)
end

if untidy then
  for key, lane in pairs(untidy) do tidy_lane(key, lane) end
end
if moves then
  local life = life_of(room)
  -- Records that an older release made are known by their next command only.
  for _, lane in pairs(lanes) do
    if lane.ends_at > 0 then named_until = math.max(named_until, lane.ends_at + RECORD_GRACE_MS) end
  end
  life.ends.held = math.max(life.ends.held, named_until)
  life.move(idle > 0 and due_from + idle or 0, due_from + ttl, stubs == '+')
elseif created ~= '' or named_until > 0 then
  local life = life_of(room)
  life.created(created)
  life.hold(named_until, sub(idle_text, -1) == '+')
end

local refusal_to_publish = false
if place then
  local news, deaf = { room.epoch .. ':' .. digits }, 0
  for i = 1, documents do
    if current[i] then news[#news + 1] = '\n' .. names[i] .. '\n' .. current[i] end
  end
  deaf, refusal_to_publish = call_first(nodes, node, publish, channel, news)
  ahead = ahead - deaf
end
if events > 0 then
  local first = events == 1 and digits or string.format('%d', room.seq + 1)
  local heard = redis.pcall(publish, channel, room.epoch .. ':' .. digits .. ' ' .. first .. '\n' .. fill(text))
  if type(heard) ~= 'number' then refusal_to_publish = true end
end

local reply = 'committed ' .. room.epoch .. ' ' .. digits .. ' ' .. ahead .. ' ' .. room.replid .. ' ' .. room.lost
if refusal_to_publish then reply = reply .. ' unheard' end
if operations == 0 then return reply end
return { reply, unpack(results) }
