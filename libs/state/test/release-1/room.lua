#!lua
-- Head of every room script: which history is the room on?
--
-- Redis gives its data a new replication id at every promotion and every restart. When it differs from the one
-- that the room was last touched under, the room's epoch is closed at the sequence number that survived and a
-- new one is opened, and stored before anything else is judged (R13). So positions on the surviving prefix stay
-- valid, and those beyond it are known to be lost. After Kafka's leader epochs (KIP-101).
--
-- Meta hash: s "last sequence number[ nodes that wait to write]" ·
--   e "replication id, birth nonce, epoch[, when its keys are to be kept longer, ms, and how long: log, room]" ·
--   l lineage, newest first, "epoch@end,…", at most 64. An epoch is "number.nonce".
-- ARGV[1] ends with a nonce for a new epoch.
--
-- Costly in a script, by instructions counted: a number that becomes text, a reply with several values, a table per
-- value. Hence few fields whose texts are taken apart, and a sequence number that becomes text once.

local LINEAGE = 64
local call = redis.call

-- Closes the epoch that the room was on, if any, and opens the next one; complete in one write.
local function open_epoch(room, key, past)
  local lineage, nonce = call('HGET', key, 'l') or '', string.match(ARGV[1], '%S+$')
  if past then
    local kept, count = { past .. '@' .. room.digits }, 1
    for older in string.gmatch(lineage, '[^,]+') do
      if count == LINEAGE then break end
      count = count + 1
      kept[count] = older
    end
    lineage = table.concat(kept, ',')
  end
  -- At least the clock's seconds: a double failover that forgets an epoch must not use its number again.
  room.number = string.format('%d', math.max(room.number + 1, call('TIME')[1] + 0))
  room.epoch = room.number .. '.' .. nonce
  room.birth = room.birth or nonce
  room.kept = nil
  local history = room.replid .. ' ' .. room.birth .. ' ' .. room.epoch
  call('HSET', key, 's', room.top or '0', 'e', history, 'l', lineage)
end

-- The replication id of the data; nothing where it is hidden.
local function replid_of(info)
  local _, before = string.find(info, 'master_replid:', 1, true)
  local replid = before and string.match(info, '^%x+', before + 1)
  return replid and #replid == 40 and replid
end

-- The room's meta, on the current history; or nil and the error to reply with. Writes only when the history changed.
local function open_room(key)
  local top, history = call('HGET', key, 's'), call('HGET', key, 'e')
  local digits, line = top or '0', nil
  if string.find(digits, ' ', 1, true) then digits, line = string.match(top, '^(%d+) (.*)$') end
  local past, birth, epoch, number, keep_at, kept
  if history then
    past, birth, epoch, number, keep_at, kept = string.match(history, '^(%x+) (%S+) ((%d+)%.%S+) ?(%d*) ?(.*)$')
  end
  local info = call('INFO', 'replication')
  local same = past and string.find(info, 'master_replid:' .. past, 1, true)
  local replid = same and past or replid_of(info)
  if not replid then return nil, redis.error_reply('NOREPLID this server hides its replication id') end
  local room = {
    seq = digits + 0, digits = digits, line = line, top = top, replid = replid, birth = birth,
    epoch = epoch, number = number or '0', keep_at = keep_at, kept = kept
  }
  if past ~= replid then open_epoch(room, key, epoch) end
  return room
end

-- Where a closed epoch of this room ended; nil when it is none.
local function epoch_end(key, epoch)
  for past, last in string.gmatch(call('HGET', key, 'l') or '', '([^@,]+)@(%d+)') do
    if past == epoch then return tonumber(last) end
  end
  return nil
end
