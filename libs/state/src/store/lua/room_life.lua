-- How long a room lives, and what Redis has lost of it.
--
-- A room that ends idle leaves its meta as a stub while records name its birth. Its next use opens the next life:
-- numbers and lanes go on, and no older position does (R36). A loss in Redis is declared in the same way; where
-- the meta is lost, with a new birth (R32).
--
-- Meta: k "until when records name its birth, end of the idle room, end of the log, ms, 0 never, what was written in
--   this life: d documents, x log, v counters", which no older script writes · z "life[ deleted]", absent in the first
--   one. A deletion is an end whose instant is its own.
-- "idle" in arguments: how long an idle room is kept, ms, 0 for good; with a plus where stubs may be left, because every
--   node knows them.

-- Declares lost what was written, is not there and had not to go yet. For where a read found nothing.
local function find_lost(room)
  if room.complete then return end
  room.complete = true
  local noted, find = call('HGET', KEYS[1], 'k') or '', string.find
  if (find(noted, 'd', 1, true) and call('EXISTS', KEYS[2]) == 0)
    or (find(noted, 'x', 1, true) and call('EXISTS', KEYS[3]) == 0)
    or (find(noted, 'v', 1, true) and call('EXISTS', KEYS[4]) == 0) then
    life_of(room).declare_lost()
  end
end

-- The functions that judge and change a room's life; made where they are needed, which is seldom.
function life_of(room)
  if room.life then return room.life end
  local LINEAGE = 64
  -- How long a room in which nothing was committed is kept where its kind is kept for good.
  local UNUSED_MS = 3600000
  -- By how much the clocks of two servers may differ that had the room one after the other.
  local CLOCKS_MS = 5000
  -- How long what is left without a meta is kept at least.
  local FOUND_MS = 1000
  local PARTS = { 'd', 'x', 'v' }
  local held, idle, log, written = string.match(call('HGET', KEYS[1], 'k') or '', '^(%d+) (%d+) (%d+) ?(%a*)$')
  local ends = { known = held, held = (held or 0) + 0, idle = (idle or 0) + 0, written = written or '' }
  -- True if keys may have an end that has to be taken back.
  ends.given = not held or ends.idle > 0
  -- Older scripts move the ends. That of the log is seen at the log, or guessed: where it has gone.
  ends.log = math.max(log or 0, call('PEXPIRETIME', KEYS[3]))
  ends.log_over = ends.log
  if room.keep_at ~= '' then
    local log_ms, idle_ms = string.match(room.kept, '^(%d+) (%d+)')
    local kept_ms = idle_ms + 0
    ends.idle = kept_ms > 0 and room.keep_at + kept_ms or 0
    local log_over = room.keep_at + (kept_ms > 0 and math.min(kept_ms, log_ms) or log_ms)
    if ends.log == 0 or log_over < ends.log then ends.log_over = log_over end
  end
  local life = { ends = ends }
  room.life = life

  function life.store()
    -- An older release may have written what it did not note.
    if not ends.known then ends.known, ends.written = true, life.parts(ends.written) end
    call('HSET', KEYS[1], 'k', string.format('%d %d %d ', ends.held, ends.idle, ends.log) .. ends.written)
  end

  -- Parts that are there, or among these.
  function life.parts(known)
    local parts = ''
    for i, part in ipairs(PARTS) do
      if string.find(known, part, 1, true) or call('EXISTS', KEYS[i + 1]) == 1 then parts = parts .. part end
    end
    return parts
  end

  -- Moves the ends of all keys of the room together; nothing else moves them (R30).
  function life.move(idle_at, log_at, stubs)
    local had_end = ends.given or ends.idle > 0
    ends.given, ends.known = idle_at > 0, true
    ends.idle, ends.log, ends.log_over, ends.written = idle_at, log_at, log_at, life.parts(ends.written)
    -- Before the meta's own end, which may have come.
    life.store()
    if log_at > 0 then
      call('PEXPIREAT', KEYS[3], string.format('%d', idle_at > 0 and math.min(log_at, idle_at) or log_at))
    end
    if idle_at > 0 then
      local meta_at = stubs and math.max(idle_at, ends.held, now + NODE_LANE_MS) or idle_at
      for i = 2, 4, 2 do call('PEXPIREAT', KEYS[i], string.format('%d', idle_at)) end
      call('PEXPIREAT', KEYS[1], string.format('%d', meta_at))
    elseif had_end then
      for _, i in ipairs({ 1, 2, 4 }) do call('PERSIST', KEYS[i]) end
    end
  end

  -- Lets keys that are new end with the others.
  function life.created(parts)
    local known = ends.written
    for i, part in ipairs(PARTS) do
      local is_noted = string.find(known, part, 1, true)
      if string.find(parts, part, 1, true) and not (is_noted and part ~= 'x') then
        local at = ends.idle
        if part == 'x' and ends.log > 0 then at = at > 0 and math.min(at, ends.log) or ends.log end
        if at > 0 then call('PEXPIREAT', KEYS[i + 1], string.format('%d', at)) end
        if not is_noted then ends.written = ends.written .. part end
      end
    end
    if ends.written ~= known then life.store() end
  end

  -- Keeps the stub until then: a record names the birth.
  function life.hold(at, stubs)
    if at == 0 then return end
    local held = math.max(at, ends.held)
    -- Also until an instant that was noted while no stub was to be left.
    if stubs then call('PEXPIREAT', KEYS[1], string.format('%d', held), 'GT') end
    if held == ends.held then return end
    ends.held = held
    life.store()
  end

  -- The last id of the log, as number of an epoch and digits; zeros where there is none.
  local function log_end()
    local info = redis.pcall('XINFO', 'STREAM', KEYS[3])
    for i = 1, #info, 2 do
      if info[i] == 'last-generated-id' then return string.match(info[i + 1], '^(%d+)%-(%d+)$') end
    end
    return '0', '0'
  end

  -- Closes the epoch that the room was on, if any, and opens the next one; complete in one write. No position of before
  -- can be continued where it is a cut. So it is where the log ends beyond the room's number, for then it holds a commit
  -- that was written in part (R35): its numbers are taken, and nobody knows what else was written. Epochs before a cut
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
    local history = room.replid .. ' ' .. room.birth .. ' ' .. room.epoch
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
    for i, part in ipairs(PARTS) do
      local over = part == 'x' and ends.log_over > 0 and now >= ends.log_over
      if not over and string.find(ends.written, part, 1, true) and call('EXISTS', KEYS[i + 1]) == 0 then
        lost = lost .. part
      end
    end
    if lost == '' then return end
    room.lost = lost
    restart()
    ends.written = life.parts('')
    life.store()
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
    if idle == 0 and not stubs then return ends.known and life.move(0, 0) end
    life.move(math.floor(now + (idle > 0 and idle or UNUSED_MS)), 0, stubs)
  end

  -- Makes the meta. Whatever else is there has lost its own.
  local function make(idle, stubs)
    if life.parts('') == '' then return begin(idle, stubs) end
    room.lost = 'm'
    take_highest()
    restart()
    -- The keys that are left must not end while they are being found.
    life.move(idle > 0 and math.floor(now + math.max(idle, FOUND_MS)) or 0, math.max(0, call('PEXPIRETIME', KEYS[3])), stubs)
  end

  function life.has_ended()
    -- The clock of the server before, which let the keys end, may have been ahead.
    local latest = room.past ~= room.replid and ends.written ~= '' and now + CLOCKS_MS or now
    if ends.idle == 0 or latest < ends.idle then return false end
    local parts = life.parts('')
    return parts == '' or (parts == 'x' and call('PEXPIRETIME', KEYS[3]) == -1)
  end

  -- The life after an end.
  local function next_life(idle, stubs)
    local past = string.match(call('HGET', KEYS[1], 'z') or '', '^%d+') or '1'
    call('HSET', KEYS[1], 'z', string.format('%d', past + 1))
    begin(idle, stubs)
  end

  function life.enter(idle_text)
    local idle, plus = string.match(idle_text, '^(%d+)(%+?)$')
    if not room.past then
      make(idle + 0, plus == '+')
    elseif life.has_ended() then
      next_life(idle + 0, plus == '+')
    elseif room.past ~= room.replid then
      life.open_epoch()
    end
  end

  -- Of a room that is in use.
  function life.keep(idle, stubs)
    if idle > 0 then return life.move(math.floor(now) + idle, ends.log, stubs) end
    if ends.idle == 0 and not ends.given then return end
    local is_used = room.keep_at ~= '' or life.parts('') ~= ''
    -- An older release would not take the end of an unused one back at the first commit.
    if not is_used and not stubs and ends.idle == 0 then return end
    life.move(is_used and 0 or math.floor(now) + UNUSED_MS, ends.log, stubs)
  end

  return life
end
