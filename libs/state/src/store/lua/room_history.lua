-- Read a page of a room's log backwards: the entries that have events before a number, and how far back the log goes.
--
-- ARGV[1] nonce for a new epoch · [2] "=" and epoch of the reader's position, '' none · [3] number of the event before
--   which the page ends; '' without an epoch: the live end · [4] most events · [5] most bytes of their bodies; one entry
--   is always returned · last: idle, see room_ends.lua
-- Reply: {'mode lost[ gate LF list]', epoch, seq, oldest, lost from, lost to, id, body, … newest first}
-- Modes: 'page' entries follow · 'rolled_back', 'unknown_epoch': the position can't be continued, and none follow.
-- Lost, once, gate and list: as in room_commit.lua. Oldest: the first event that the log has without a gap up to the
--   page, one more than the last event where it has none.
local room, refusal = open_room(ARGV[#ARGV])
if not room then return refusal end
find_lost(room)
skip_written_in_part(room)
local MOST_EVENTS, MOST_BYTES = tonumber(ARGV[4]), tonumber(ARGV[5])
-- True if an entry was found that a newer release keeps in another form.
local foreign = false

-- The first and the last event of an entry; 0, 0 of a foreign one.
local function range_of(entry)
  if entry[2][1] ~= 'd' then
    foreign = true
    return 0, 0
  end
  local last = tonumber(string.match(entry[1], '%-(%d+)$'))
  return last - string.match(entry[2][2], '^%d+') + 1, last
end

-- The id of the entry that has an event, or of the next one. Numbers of epochs stand in ids, so that of the event's
-- epoch is found first, from the newest one on: their number is that of the changes of history, not of the entries.
local function id_of(seq)
  local upper, found = room.number .. '-' .. room.digits, nil
  repeat
    local newest = call('XREVRANGE', KEYS[3], upper, '-', 'COUNT', 1)[1]
    if not newest then return found end
    local number = string.match(newest[1], '^%d+')
    local oldest = call('XRANGE', KEYS[3], number .. '-0', '+', 'COUNT', 1)[1]
    if range_of(oldest) <= seq then
      local entry = call('XRANGE', KEYS[3], number .. '-' .. string.format('%d', seq), '+', 'COUNT', 1)[1]
      return entry and entry[1]
    end
    found, upper = oldest[1], '(' .. number .. '-0'
  until foreign
  return nil
end

-- Reads whole entries, newest first, down from the one that has this event; those behind a gap are left out.
-- Returns the entries, and the first event above the gap; nil if there is none.
local function read_down(seq)
  local entries, count, bytes, wanted, gap = {}, 0, 0, seq, nil
  local start = id_of(seq)
  if not start then return entries, room.seq + 1 end

  -- Takes an entry into the page. Returns false when the page ends here.
  local function take(entry)
    local first, last = range_of(entry)
    if foreign then return false end
    if first > wanted or last < wanted then
      gap = math.max(first, wanted + 1)
      return false
    end
    local body, events = entry[2][2], wanted - first + 1
    if #entries > 0 and (count + events > MOST_EVENTS or bytes + #body > MOST_BYTES) then return false end
    entries[#entries + 1] = entry
    count, bytes, wanted = count + events, bytes + #body, first - 1
    return true
  end

  read_entries('XREVRANGE', start, '-', take, function()
    return math.min(filling(MOST_BYTES - bytes, #entries, bytes), MOST_EVENTS - count + 1)
  end)
  return entries, gap
end

local epoch, before = ARGV[2] ~= '' and string.sub(ARGV[2], 2), tonumber(ARGV[3])
local seq = before and before - 1 or room.seq
local mode, lost_from, lost_to, entries, gap = 'page', 0, 0, {}, nil
if epoch then
  local loss, from, to = loss_of(room, epoch, seq)
  if loss then mode, lost_from, lost_to = loss, from, to end
end
seq = math.min(seq, room.seq)
if mode == 'page' and seq > 0 then entries, gap = read_down(seq) end
local oldest = gap
if not oldest then
  local first = call('XRANGE', KEYS[3], '-', '+', 'COUNT', 1)[1]
  oldest = first and range_of(first) or room.seq + 1
end
if foreign then return redis.error_reply('NEWFORMAT a newer release keeps the log of this room in another form') end

local status = mode .. ' ' .. room.lost
if room.gate then status = status .. ' ' .. room.gate .. '\n' .. (call('HGET', KEYS[1], 'g') or '') end
local reply = { status, room.epoch, room.seq, oldest, lost_from, lost_to }
for _, entry in ipairs(entries) do
  reply[#reply + 1] = entry[1]
  reply[#reply + 1] = entry[2][2]
end
return reply
