-- Read a room: its position, and what a reader at an older position has missed.
--
-- KEYS[1] meta · KEYS[2] documents · KEYS[3] log · KEYS[4] record hash of the reader's lane (any key without one)
-- ARGV[1] nonce for a new epoch · [2] epoch of the reader's position, '' none · [3] its sequence number ·
--   [4] newest events to return when there is no position · [5] most events to replay · [6] 1: documents too
-- Reply: {mode, epoch, seq, highest n of the lane or '', lost from, lost to, replication id, lineage,
--   number of documents, name, document, …, id, body, … oldest first}
-- Modes: 'live' no position · 'replay' entries follow · 'trimmed', 'rolled_back', 'unknown_epoch', 'too_far':
--   the position can't be continued and the documents are the state at seq.
local room, refusal = open_room(KEYS[1])
if not room then return refusal end
local epoch, seq, newest, most = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])

local function reversed(list)
  local result = {}
  for i = #list, 1, -1 do result[#result + 1] = list[i] end
  return result
end

-- Whole stream entries, oldest first, of the newest events back to the one after `from`; and the oldest event among them.
local function newest_back_to(from)
  local entries, oldest = {}, room.seq + 1
  for _, entry in ipairs(call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', room.seq - from)) do
    local last = tonumber(string.match(entry[1], '%-(%d+)$'))
    if oldest <= from + 1 or last ~= oldest - 1 then break end
    oldest = last - string.match(entry[2][2], '^%d+') + 1
    entries[#entries + 1] = entry
  end
  return reversed(entries), oldest
end

local mode, entries, oldest, lost_from, lost_to = 'live', {}, 0, 0, 0
if epoch == '' then
  if newest > 0 and room.seq > 0 then entries = newest_back_to(math.max(0, room.seq - newest)) end
else
  local limit = epoch == room.epoch and room.seq or epoch_end(KEYS[1], epoch)
  if not limit then
    mode = 'unknown_epoch'
  elseif seq > limit then
    mode, lost_from, lost_to = 'rolled_back', limit + 1, seq
  elseif room.seq - seq > most then
    mode = 'too_far'
  elseif seq < room.seq then
    entries, oldest = newest_back_to(seq)
    mode = oldest <= seq + 1 and 'replay' or 'trimmed'
  else
    mode = 'replay'
  end
end
if mode == 'trimmed' then entries = {} end

local highest = string.match(call('HGET', KEYS[4], 'h') or '', '^%d*')
local lineage = call('HGET', KEYS[1], 'l') or ''
local reply = { mode, room.epoch, room.seq, highest, lost_from, lost_to, room.replid, lineage }
local documents = {}
if ARGV[6] == '1' then documents = call('HGETALL', KEYS[2]) end
reply[#reply + 1] = #documents / 2
for _, part in ipairs(documents) do reply[#reply + 1] = part end
for _, entry in ipairs(entries) do
  reply[#reply + 1] = entry[1]
  reply[#reply + 1] = entry[2][2]
end
return reply
