#!lua
-- Head of every room script: finds the history that the room is on.
--
-- Redis gives its data a new replication id at every promotion and every restart. When it differs from the one
-- that the room was last touched under, the room's epoch is closed at the sequence number that survived and a
-- new one is opened, and stored before anything else is judged (R13). So positions on the surviving prefix stay
-- valid, and those beyond it are known to be lost. After Kafka's leader epochs (KIP-101).
--
-- KEYS[1] meta · [2] documents · [3] log · [4] counters
-- Meta hash: s "last sequence number[ nodes that wait to write]" ·
--   e "replication id, birth nonce, epoch[, when its keys are to be kept longer, ms, and how long: log, room]" ·
--   l lineage, newest first, "epoch@end,…", at most 64. An epoch is "number.nonce", or "number." if it is unknown now ·
--   k see room_ends.lua, z see room_life.lua, g see room_gate.lua. Once memberships were ended, e begins with
--   "@position of the last ending " (R38), which releases that know no gate refuse. An e of another form is a newer release's, which keeps the room in a way
--   that this one does not know.
-- ARGV[1] ends with a nonce for a new epoch.
--
-- Costly in a script, by instructions counted: a number that becomes text, a reply with several values, a table per
-- value, a function that is made. Hence few fields whose texts are taken apart, and a sequence number that becomes
-- text once.

local NODE_LANE_MS = 900000
-- Most epochs that a lineage has.
local LINEAGE = 64
local call = redis.call
local time = call('TIME')
local now = time[1] * 1000 + time[2] / 1000
-- See room_ends.lua and room_life.lua; made where they are needed.
local ends_of, life_of

-- The room on the current history, in a life; or nil and the error to reply with. Writes only where one of them is new.
-- Without "idle": the room as its meta stands.
local function open_room(idle)
  local top, history = call('HGET', KEYS[1], 's') or '0', call('HGET', KEYS[1], 'e')
  local digits, queue = top, nil
  if string.find(digits, ' ', 1, true) then digits, queue = string.match(top, '^(%d+) (.*)$') end
  local past, birth, epoch, number, keep_at, kept, gate
  if history then
    past, birth, epoch, number, keep_at, kept = string.match(history, '^(%x+) (%S+) ((%d+)%.%S+) ?(%d*) ?(.*)$')
    if not past then
      gate, past, birth, epoch, number, keep_at, kept =
        string.match(history, '^@(%d+%.%d+) (%x+) (%S+) ((%d+)%.%S+) ?(%d*) ?(.*)$')
    end
    if not past then return nil, redis.error_reply('NEWFORMAT a newer release keeps this room in another form') end
  end
  local info = call('INFO', 'replication')
  local replid = past
  if not past or not string.find(info, 'master_replid:' .. past, 1, true) then
    replid = string.match(info, 'master_replid:(%x+)')
    if not replid or #replid ~= 40 then
      return nil, redis.error_reply('NOREPLID this server hides its replication id')
    end
  end
  local room = {
    seq = digits + 0, digits = digits, queue = queue, top = top, replid = replid, past = past, birth = birth,
    epoch = epoch, number = number or '0', keep_at = keep_at or '', kept = kept, lost = '-',
    -- True if its keys need not be kept longer yet.
    fresh = past and keep_at ~= '' and now < keep_at + 0
  }
  -- Every e that is written begins with it.
  room.gate, room.head = gate, gate and '@' .. gate .. ' ' or ''
  if idle and not room.fresh and past == replid and keep_at ~= '' then
    local kept_ms = string.match(kept, ' (%d+)') + 0
    if kept_ms == 0 or now < keep_at + kept_ms then return room end
  end
  if idle and (past ~= replid or not room.fresh) then life_of(room).enter(idle) end
  return room
end

-- Where a closed epoch of this room ended; nil when it is none.
local function epoch_end(key, epoch)
  for past, last in string.gmatch(call('HGET', key, 'l') or '', '([^@,]+)@(%d+)') do
    if past == epoch then return tonumber(last) end
  end
  return nil
end

-- The oldest id that the event with this number can have in the log: with the number of the epoch that had it.
local function oldest_id(room, seq)
  local number, known, is_first = room.number, 0, true
  for past, nonce, last in string.gmatch(call('HGET', KEYS[1], 'l') or '', '(%d+)%.([^@,]*)@(%d+)') do
    if last + 0 < seq then return number .. '-' .. string.format('%d', seq) end
    number, known, is_first = past, known + 1, nonce ~= ''
  end
  -- An epoch before a loss, or before the oldest epochs that are kept, is known by the log alone.
  if known == LINEAGE or not is_first then number = '0' end
  return number .. '-' .. string.format('%d', seq)
end
