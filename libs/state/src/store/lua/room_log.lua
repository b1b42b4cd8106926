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

-- How many entries are read at first, to learn how big they are, and at most at a time: the size of those behind them is
-- not known, so that as many may be read in vain.
local FIRST_CHUNK, MOST_CHUNK = 8, 32

-- Reads entries from an id on, by XRANGE or XREVRANGE, until `take` returns false for one. `wanted`: how many more may be
-- of use. Returns true if it came to the end.
local function read_entries(command, start, stop, take, wanted)
  local chunk = math.min(FIRST_CHUNK, wanted())
  repeat
    local read = call(command, KEYS[3], start, stop, 'COUNT', chunk)
    for _, entry in ipairs(read) do
      if not take(entry) then return false end
    end
    local ended = #read < chunk
    if not ended then start, chunk = '(' .. read[#read][1], math.max(1, math.min(MOST_CHUNK, wanted())) end
  until ended
  return true
end

-- How many entries as big as those that were taken fill so many bytes, with the one that finds no room any more.
local function filling(left_bytes, entries, bytes)
  if entries == 0 then return MOST_CHUNK end
  return math.ceil(math.max(0, left_bytes) / (bytes / entries)) + 1
end
