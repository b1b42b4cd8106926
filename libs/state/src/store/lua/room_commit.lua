-- Commit to one room: documents change, events are logged and published, commands are recorded; or nothing happens.
-- This file is the contract and judges numbers; room_commit_judge.lua does all that may refuse the commit, and
-- room_commit_write.lua what nothing may refuse any more.
--
-- KEYS[5…] record hash of each entry's lane, then the key of each limit, see room_commit_judge.lua, then, if there are
--   lanes of keys that take effect once, the sorted set of these lanes
-- Every argument costs the driver and Redis more than taking it apart does here, so there are few:
-- ARGV[1] "mode[#gate[!][~]] entries documents events publish ttl idle keep nonce": "@node", which joins the queue of writers
--   when others write the room too, 2 judge only, 0 neither; position of the last ending of memberships that the node has applied, ! if
--   the commit ends some, and ~ if it has work that opens no new life of a deleted room; how many entries, documents and events there are; PUBLISH or SPUBLISH; how
--   long the log is kept, ms; idle, see room_ends.lua; how many events the log keeps at least;
--   nonce for a new epoch
-- ARGV[2] bodies of the entries that have events, LF between them
-- then one per entry: "n ack generation ends epoch length|fingerprint|outcome": end of the session, ms, or that
--   of a node's own lane below zero, 0 as of its entry before; epoch of the lane's last reply or nothing; bytes of its body, 0 if it has no events
-- then one per document: "entry base length name|json": the entry that changed it; position it was read at, nothing if
--   never written; bytes of the name; nothing for JSON that is unchanged
-- then one per counter operation: "entry by lowest highest name", "-" for no bound
-- then one per limit: "q<step for each entry> burst step", µs; and where it does not charge all, " ,entry,entry,"
-- then one per entry of a key that takes effect once: "o entry most lane": most lanes that the room has at a time
-- A "\1i\2" in a body or outcome becomes the result of counter operation i.
--
-- Log: one stream entry per entry that has events (R16), id "epoch number-last sequence number", d body; it begins
--   with the number of its events. "1!", an event, its data, target and reason: it ends memberships, see room_gate.lua;
--   with the target *d it deletes the room.
-- Document: "epoch:seq|json". A record is "seq|fingerprint|outcome".
-- Record hash: h "highest n, acknowledged n, generation, birth of the room, record of the highest n" · <n> record of an
--   older one that is not acknowledged.
-- Reply: 'committed epoch seq ahead replid lost[ unheard]', or a list that begins with it: result of each counter
--   operation…; ahead counts the nodes that are to write before this one does again; lost, once: letters of the
--   parts that Redis has lost, as in room_ends.lua, m for the meta, or '-'; unheard: everything is written, but a
--   publication was refused
--   {'judged epoch seq ahead replid lost[ gate LF list | deleted]', verdict of each entry…, name, document, …}: nothing was written; ahead is '-' if
--   no document differs, '?' if some do and the node is not in the queue; gate, '-' for none, and what meta has of
--   endings: where the node has applied another one. deleted: the room is, and the commit may not open its next life.
--   'again': nothing was written, for the log held a commit that was written in part; the room goes on behind it in a
--   new epoch.
-- Verdicts: 'ok' · 'dup|record' · 'reused' · 'order|expected' · 'window' · 'expired' · 'later' · 'bound|operation' ·
--   'limited|limit retry in ms' · 'full|retry in ms', see room_commit_judge.lua
local WINDOW = 32
local RECORD_GRACE_MS = 3600000
-- How long it is known that a room was deleted: as long as a session that was a member may come back, and an hour.
local STUB_MS = 90000000
-- The log is trimmed when its numbers pass a multiple of this.
local TRIM_EVERY = 64
-- Keys are kept this part of their time longer than they must be, so that not every commit has to.
local SLACK = 1 / 16
local CHARGE, ONCE = 113, 111
-- The key of a limit is kept beyond the end of the part, of this length, that its time lies in.
local LIMIT_PART_US = 4000000
local match, sub, byte = string.match, string.sub, string.byte

local mode, entries, documents, total, publish, lifetimes, ttl, idle_text =
  match(ARGV[1], '^(%S+) (%d+) (%d+) (%d+) (%S+) ((%S+) (%S+))')
local room, refusal = open_room(idle_text)
if not room then return refusal end
-- The gate that the node has applied, and whether the commit raises it.
local gate, raises, opens
local gate_at = string.find(mode, '#', 1, true)
if gate_at then
  gate, raises, opens = match(mode, '^(.-)(!?)(~?)$', gate_at + 1)
  mode, raises = sub(mode, 1, gate_at - 1), raises == '!'
  if gate == '' then gate = nil end
end
local outdated = gate ~= room.gate
entries, documents = entries + 0, documents + 0
local documents_from = 2 + entries
local operations_from = documents_from + documents
local operations, charges, onces = #ARGV - operations_from, 0, 0
while operations > 0 and byte(ARGV[operations_from + operations]) == ONCE do
  operations, onces = operations - 1, onces + 1
end
while operations > 0 and byte(ARGV[operations_from + operations]) == CHARGE do
  operations, charges = operations - 1, charges + 1
end
local charges_from = operations_from + operations
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
    if now >= (ends_at < 0 and -ends_at or ends_at) or -ends_at > now + NODE_LANE_MS then return 'expired' end
    lane.ends_at = ends_at
  elseif not lane.ends_at then
    return 'expired'
  end
  if generation ~= lane.generation and generation + 0 < lane.generation + 0 then return 'expired' end
  if lane.birth and lane.birth ~= room.birth then return 'expired' end
  if n <= lane.highest then return judge_repeat(lane, key, n, digits, ARGV[2 + i]) end
  if n > lane.highest + 1 then
    if lane.highest == 0 and not lane.limited and not epoch_end(KEYS[1], epoch) then return 'expired' end
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
