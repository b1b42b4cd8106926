-- Functions of the scripts that read a room's log.

-- Opens the next epoch behind a commit that was written in part (R35); returns whether there is one.
local function skip_written_in_part(room)
  local last = room.number .. '-' .. room.digits
  if #call('XRANGE', KEYS[3], '(' .. last, '+', 'COUNT', 1) == 0 then return false end
  life_of(room).open_epoch()
  return true
end
