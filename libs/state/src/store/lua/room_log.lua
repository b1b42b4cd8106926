-- Functions of the scripts that read a room's log.

-- The reason why a position does not belong to the room's history, and the first and the last event that are lost with
-- it, 0 where none are; nil if it does.
local function loss_of(room, epoch, seq)
  local limit = epoch == room.epoch and room.seq or epoch_end(KEYS[1], epoch)
  if not limit then
    return 'unknown_epoch', 0, 0
  elseif seq > limit then
    return 'rolled_back', limit + 1, seq
  end
end

-- Opens the next epoch behind a commit that was written in part (R35); returns whether there is one.
local function skip_written_in_part(room)
  local last = room.number .. '-' .. room.digits
  if #call('XRANGE', KEYS[3], '(' .. last, '+', 'COUNT', 1) == 0 then return false end
  life_of(room).open_epoch()
  return true
end
