-- The life of a room, and its losses in Redis.
--
-- A room that ends idle leaves its meta as a stub while records name its birth. Its next use opens the next life:
-- numbers and lanes go on, and no older position does (R36). A loss in Redis is declared in the same way; where
-- the meta is lost, with a new birth (R32).
--
-- Meta: k see room_ends.lua · z "life[ deleted]", absent in the first one. A deletion begins the next life at once; until
-- that is used it is marked, and work that may not open it is refused.

-- Declares parts lost that were written, are absent and have not expired. Called where a read found nothing.
local function find_lost(room)
  if room.complete then return end
  room.complete = true
  local noted, find = call('HGET', KEYS[1], 'k') or '', string.find
  if noted == '' then return end
  -- In one call, where the meta, which is there, stands in for what was not written.
  local documents = find(noted, 'd', 1, true) and KEYS[2] or KEYS[1]
  local log = find(noted, 'x', 1, true) and KEYS[3] or KEYS[1]
  local counters = find(noted, 'v', 1, true) and KEYS[4] or KEYS[1]
  if call('EXISTS', documents, log, counters) < 3 then
    life_of(room).declare_lost()
  end
end

-- The functions that judge and change a room's life; made only when they are needed, which is seldom.
function life_of(room)
  if room.life then return room.life end
  -- How long a room in which nothing was committed is kept where its kind is kept for good.
  local UNUSED_MS = 3600000
  -- Largest difference between the clocks of two servers that had the room one after the other.
  local CLOCKS_MS = 5000
  -- How long the other parts of a room are kept at least without a meta.
  local FOUND_MS = 1000
  local ends = ends_of(room)
  local life = {}
  room.life = life

  -- How long an idle room is kept, and true if it leaves a stub.
  local function idle_of(text)
    local ms, plus = string.match(text, '^(%d+)(%+?)$')
    return ms + 0, plus == '+'
  end

  -- The beginning of an e that names this history of Redis.
  local function history_of(replid) return room.head .. replid .. ' ' .. room.birth .. ' ' .. room.epoch end

  -- The last id of the log, as number of an epoch and digits; zeros where there is none.
  local function log_end()
    local info = redis.pcall('XINFO', 'STREAM', KEYS[3])
    for i = 1, #info, 2 do
      if info[i] == 'last-generated-id' then return string.match(info[i + 1], '^(%d+)%-(%d+)$') end
    end
    return '0', '0'
  end

  -- Closes the epoch that the room was on, if any, and opens the next one; complete in one write. After a cut no earlier
  -- position can be continued. A log that ends beyond the room's number makes a cut, since it holds a commit that was
  -- written in part (R35): its numbers are taken, and nobody knows what else was written. Epochs before a cut
  -- lose their nonces; their numbers stay, for they stand in the log's ids.
  function life.open_epoch(cut)
    local nonce, log_number, log_digits = string.match(ARGV[1], '%S+$'), log_end()
    local past = room.epoch and room.epoch .. '@' .. room.digits
    if log_digits + 0 > room.seq then
      room.seq, room.digits, cut = log_digits + 0, log_digits, true
      room.top = room.queue and log_digits .. ' ' .. room.queue or log_digits
    end
    if cut then past = log_digits ~= '0' and log_number .. '.@' .. log_digits end
    local lineage = {}
    if past then
      lineage[1] = past
      for older in string.gmatch(call('HGET', KEYS[1], 'l') or '', '[^,]+') do
        if #lineage == LINEAGE then break end
        lineage[#lineage + 1] = cut and string.gsub(older, '%.[^@]*@', '.@') or older
      end
    end
    -- At least the clock's seconds: a double failover that forgets an epoch must not use its number again.
    room.number = string.format('%d', math.max(room.number + 1, log_number + 1, time[1] + 0))
    room.epoch = room.number .. '.' .. nonce
    room.birth = room.birth or nonce
    local history = history_of(room.replid)
    if room.keep_at ~= '' then history = history .. ' ' .. room.keep_at .. ' ' .. room.kept end
    call('HSET', KEYS[1], 's', room.top, 'e', history, 'l', table.concat(lineage, ','))
  end

  local function restart()
    -- The next commit moves the ends of what is there then.
    room.top, room.queue, room.complete, room.keep_at, room.fresh = room.digits, nil, true, '', false
    life.open_epoch(true)
  end

  function life.declare_lost()
    if ends.written == '' or (ends.idle > 0 and now >= ends.idle) then return end
    local lost = ''
    for i, part in ipairs(ends.all) do
      local over = part == 'x' and ends.log_over > 0 and now >= ends.log_over
      if not over and string.find(ends.written, part, 1, true) and call('EXISTS', KEYS[i + 1]) == 0 then
        lost = lost .. part
      end
    end
    if lost == '' then return end
    room.lost = lost
    restart()
    ends.written = ends.parts('')
    ends.store()
  end

  -- Takes over the highest numbers that are found where the meta is lost; the log's are in any case.
  local function take_highest()
    local number, seq = 0, 0
    for _, document in ipairs(call('HVALS', KEYS[2])) do
      local a, b = string.match(document, '^(%d+)%.[^:|]*:(%d+)|')
      if a then number, seq = math.max(number, a + 0), math.max(seq, b + 0) end
    end
    room.number, room.seq, room.digits = number, seq, string.format('%d', seq)
  end

  local function begin(idle, stubs)
    restart()
    -- One that was made anew after Redis had lost it may be without an end.
    call('DEL', KEYS[3])
    ends.written = ''
    -- An older release would not take this end back at the first commit.
    if idle == 0 and not stubs then return ends.known and ends.move(0, 0) end
    ends.move(math.floor(now + (idle > 0 and idle or UNUSED_MS)), 0, stubs)
  end

  -- Makes the meta. Parts that exist have lost theirs.
  local function make(idle, stubs)
    if ends.parts('') == '' then return begin(idle, stubs) end
    room.lost = 'm'
    take_highest()
    restart()
    -- The keys that are left must not end while they are being found.
    ends.move(idle > 0 and math.floor(now + math.max(idle, FOUND_MS)) or 0, math.max(0, call('PEXPIRETIME', KEYS[3])), stubs)
  end

  function life.has_ended()
    -- The clock of the server before, which let the keys end, may have been ahead.
    local latest = room.past ~= room.replid and ends.written ~= '' and now + CLOCKS_MS or now
    if ends.idle == 0 or latest < ends.idle then return false end
    local parts = ends.parts('')
    return parts == '' or (parts == 'x' and call('PEXPIRETIME', KEYS[3]) == -1)
  end

  -- The life after an end. It is marked as deleted where it is, or where the last one was marked and not used.
  local function next_life(idle, stubs, mark)
    local past, was = string.match(call('HGET', KEYS[1], 'z') or '1', '^(%d+)( ?.*)$')
    call('HSET', KEYS[1], 'z', string.format('%d', past + 1) .. (mark or was))
    begin(idle, stubs)
  end

  -- Deletes the room behind its last event: all but records goes.
  function life.delete(idle_text)
    local idle, stubs = idle_of(idle_text)
    for i = 2, 4 do call('DEL', KEYS[i]) end
    next_life(idle, stubs, ' deleted')
  end

  -- Memberships ended in a marked life: e tells nothing of ends, so that each call looks for the mark.
  function life.stay_unused() call('HSET', KEYS[1], 'e', history_of(room.replid)) end

  -- A life that began with a deletion is used.
  function life.use() call('HSET', KEYS[1], 'z', string.match(call('HGET', KEYS[1], 'z'), '^%d+')) end

  function life.enter(idle_text)
    local idle, stubs = idle_of(idle_text)
    if not room.past then
      make(idle, stubs)
    elseif life.has_ended() then
      next_life(idle, stubs)
    elseif room.past ~= room.replid then
      life.open_epoch()
    end
    -- A marked life has no commit, so every call comes here.
    room.deleted = string.find(call('HGET', KEYS[1], 'z') or '', ' deleted', 1, true) ~= nil
  end

  -- Of a room that is in use: it ends no earlier than its idle time from now. `replid`: that of its meta.
  function life.keep(idle_text, replid)
    local idle, stubs = idle_of(idle_text)
    local log, past_idle = string.match(room.kept or '', '^(%d+) (%d+)')
    if room.keep_at ~= '' and (idle > 0 or past_idle ~= '0') then
      call('HSET', KEYS[1], 'e', history_of(replid) .. string.format(' %d ', now) .. log .. ' ' .. idle_text)
    end
    if idle > 0 then return ends.move(math.floor(now) + idle, ends.log, stubs) end
    if ends.idle == 0 and not ends.given then return end
    local is_used = room.keep_at ~= '' or ends.parts('') ~= ''
    -- An older release would not take the end of an unused one back at the first commit.
    if not is_used and not stubs and ends.idle == 0 then return end
    ends.move(is_used and 0 or math.floor(now) + UNUSED_MS, ends.log, stubs)
  end

  return life
end
