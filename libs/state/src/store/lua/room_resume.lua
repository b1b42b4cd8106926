-- Read a room: its position, and a part of the entries that a reader at an older position has missed.
--
-- KEYS[5] record hash of the reader's lane; absent without one
-- ARGV[1] nonce for a new epoch · [2] "=" and epoch of the reader's position, '' none · [3] its sequence number; without an
--   epoch: read on from it, '' nothing · [4] newest events to return when there is neither · [5] most events to replay ·
--   [6] 0 no documents · 1 documents where the part reaches the position · 2 only where a position can't be continued
--   · [7] most entries of a part · [8] most bytes of their bodies; one entry is always returned · [9] position of the last ending that the reader knows, '' none ·
--   [10] 1 keeps the room from its idle end, for members that come, else 0 · last: idle, see room_ends.lua
-- Reply: {'mode lost[ gate LF list]', epoch, seq, highest n of the lane or '', lost from, lost to, replication id, lineage,
--   number of documents, name, document, …, id, body, … oldest first}
-- Modes: 'live' no position · 'replay' entries follow · 'trimmed', 'rolled_back', 'unknown_epoch', 'too_far':
--   the position can't be continued and the documents are the state at seq. Lost, once: as in room_commit.lua.
-- Gate and list as in room_commit.lua, where the reader does not know them.
-- Without an epoch, entries begin as far back as the log goes.
-- Nothing where the log holds a commit that was written in part: the room goes on behind it in a new epoch, then.
local room, refusal = open_room(ARGV[#ARGV])
if not room then return refusal end
find_lost(room)
-- After the losses are found: a log whose end passes while this runs goes here, by Redis' clock, and is not lost.
if ARGV[10] == '1' then life_of(room).keep(ARGV[#ARGV], room.replid) end
local epoch, seq = ARGV[2] ~= '' and string.sub(ARGV[2], 2), tonumber(ARGV[3])
-- True if an entry was found that a newer release keeps in another form.
local foreign = false
-- The part of the log that was read; `gap`: not all that was wanted is there · `full`: more is.
local part = { entries = {} }

-- Reads whole stream entries, oldest first, from the one that has the event after `from`. `strict`: only without a gap;
-- else what lies before a gap is left out.
local function read_after(from, strict)
  local MOST_ENTRIES, MOST_BYTES = tonumber(ARGV[7]), tonumber(ARGV[8])
  local bytes, next_seq = 0, from + 1

  -- Takes an entry into the part. Returns false when the part ends here.
  local function take(entry)
    if entry[2][1] ~= 'd' then
      foreign = true
      return false
    end
    local last, body = tonumber(string.match(entry[1], '%-(%d+)$')), entry[2][2]
    if last <= from then return true end
    local first = last - string.match(body, '^%d+') + 1
    if first > next_seq then
      part.gap = true
      if strict then return false end
      part.entries, bytes = {}, 0
    end
    local count = #part.entries
    if count > 0 and (count == MOST_ENTRIES or bytes + #body > MOST_BYTES) then
      part.full = true
      return false
    end
    part.entries[count + 1], bytes, next_seq = entry, bytes + #body, last + 1
    return true
  end

  local start, stop = oldest_id(room, from + 1), room.number .. '-' .. room.digits
  local is_whole = read_entries('XRANGE', start, stop, take, function()
    local count = #part.entries
    return math.min(filling(MOST_BYTES - bytes, count, bytes), MOST_ENTRIES - count + 1)
  end)
  -- Entries that the log has lost at its end make a gap too.
  if is_whole and next_seq <= room.seq then part.entries, part.gap = {}, true end
end

local mode, lost_from, lost_to = 'live', 0, 0
if not epoch then
  local newest = tonumber(ARGV[4])
  local function first_wanted() return seq or (newest > 0 and math.max(0, room.seq - newest)) or room.seq end
  if first_wanted() < room.seq then
    skip_written_in_part(room)
    read_after(first_wanted(), false)
  end
else
  local loss, from, to = loss_of(room, epoch, seq)
  mode = 'replay'
  if loss then
    mode, lost_from, lost_to = loss, from, to
  elseif room.seq - seq > tonumber(ARGV[5]) then
    mode = 'too_far'
  elseif seq < room.seq and skip_written_in_part(room) then
    mode = 'unknown_epoch'
  elseif seq < room.seq then
    read_after(seq, true)
    if part.gap then mode, part.entries, part.full = 'trimmed', {}, false end
  end
end
if foreign then return redis.error_reply('NEWFORMAT a newer release keeps the log of this room in another form') end

local head = KEYS[5] and call('HGET', KEYS[5], 'h') or ''
local highest = head ~= '' and string.match(head, '^(%d+) ') or ''
if head ~= '' and highest == '' then
  return redis.error_reply('NEWFORMAT a newer release keeps records of this room in another form')
end
local lineage = call('HGET', KEYS[1], 'l') or ''
local status = mode .. ' ' .. room.lost
if (room.gate or '') ~= ARGV[9] then
  status = status .. ' ' .. (room.gate or '-') .. '\n' .. (call('HGET', KEYS[1], 'g') or '')
end
local reply = { status, room.epoch, room.seq, highest, lost_from, lost_to, room.replid, lineage }
local documents = {}
local lost = mode ~= 'live' and mode ~= 'replay'
if (ARGV[6] == '1' and not part.full) or (ARGV[6] == '2' and lost) then documents = call('HGETALL', KEYS[2]) end
reply[9] = #documents / 2
for _, document in ipairs(documents) do reply[#reply + 1] = document end
for _, entry in ipairs(part.entries) do
  reply[#reply + 1] = entry[1]
  reply[#reply + 1] = entry[2][2]
end
return reply
