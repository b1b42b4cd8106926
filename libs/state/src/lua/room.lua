#!lua
-- Head of every room script: which history is the room on?
--
-- Redis gives its data a new replication id at every promotion and every restart. When it differs from the one
-- that the room was last touched under, the room's epoch is closed at the sequence number that survived and a
-- new one is opened, and stored before anything else is judged (R13). So positions on the surviving prefix stay
-- valid, and those beyond it are known to be lost. After Kafka's leader epochs (KIP-101).
--
-- Meta hash: s last sequence number · n epoch number · e epoch nonce · r replication id · l lineage, newest
-- first, "n.e@end,…", at most 64 · b birth nonce · c conflicts since the last commit.

local LINEAGE = 64

-- The room's meta, on the current history; or nil and the error to reply with. Writes only when the history changed.
local function open_room(key, nonce)
  local replid = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
  if not replid or #replid ~= 40 then
    return nil, redis.error_reply('NOREPLID this server hides its replication id')
  end
  local meta = redis.call('HMGET', key, 's', 'n', 'e', 'r', 'l', 'b', 'c')
  local room = {
    seq = tonumber(meta[1] or '0'), number = tonumber(meta[2] or '0'), nonce = meta[3], replid = replid,
    lineage = meta[5] or '', birth = meta[6], conflicts = tonumber(meta[7] or '0')
  }
  if meta[4] ~= replid then
    if room.nonce then
      local closed = room.number .. '.' .. room.nonce .. '@' .. room.seq
      local kept, count = { closed }, 1
      for past in string.gmatch(room.lineage, '[^,]+') do
        if count == LINEAGE then break end
        count = count + 1
        kept[count] = past
      end
      room.lineage = table.concat(kept, ',')
    end
    -- At least the clock's seconds: a double failover that forgets an epoch must not use its number again.
    room.number = math.max(room.number + 1, tonumber(redis.call('TIME')[1]))
    room.nonce = nonce
    room.birth = room.birth or nonce
    redis.call('HSET', key, 's', room.seq, 'n', room.number, 'e', nonce, 'r', replid, 'l', room.lineage, 'b', room.birth)
  end
  room.epoch = room.number .. '.' .. room.nonce
  return room
end

-- Where a closed epoch of this room ended; nil when it is none.
local function epoch_end(room, epoch)
  for past, last in string.gmatch(room.lineage, '([^@,]+)@(%d+)') do
    if past == epoch then return tonumber(last) end
  end
  return nil
end
