-- The ends of a room's keys, which expire together, and what was written in its life.
--
-- Meta: k "until when records name its birth, end of the idle room, end of the log, ms, 0 never, what was written in
--   this life: d documents, x log, v counters", which no older script writes.
-- "idle" in arguments: how long an idle room is kept, ms, 0 for good; with a plus where stubs may be left, because every
--   node knows them.

-- The ends of a room, and the functions that move them; made where they are needed, which is seldom.
function ends_of(room)
  if room.ends then return room.ends end
  -- The parts of a room besides its meta; the key of each has the next number.
  local PARTS = { 'd', 'x', 'v' }
  local held, idle, log, written = string.match(call('HGET', KEYS[1], 'k') or '', '^(%d+) (%d+) (%d+) ?(%a*)$')
  local ends = { known = held, held = (held or 0) + 0, idle = (idle or 0) + 0, written = written or '', all = PARTS }
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
  room.ends = ends

  function ends.store()
    -- An older release may have written what it did not note.
    if not ends.known then ends.known, ends.written = true, ends.parts(ends.written) end
    call('HSET', KEYS[1], 'k', string.format('%d %d %d ', ends.held, ends.idle, ends.log) .. ends.written)
  end

  -- Parts that are there, or among these.
  function ends.parts(known)
    local parts = ''
    for i, part in ipairs(PARTS) do
      if string.find(known, part, 1, true) or call('EXISTS', KEYS[i + 1]) == 1 then parts = parts .. part end
    end
    return parts
  end

  -- Moves the ends of all keys of the room together; nothing else moves them (R30).
  function ends.move(idle_at, log_at, stubs)
    local had_end = ends.given or ends.idle > 0
    ends.given, ends.known = idle_at > 0, true
    ends.idle, ends.log, ends.log_over, ends.written = idle_at, log_at, log_at, ends.parts(ends.written)
    -- Before the meta's own end, which may have come.
    ends.store()
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
  function ends.created(parts)
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
    if ends.written ~= known then ends.store() end
  end

  -- Keeps the stub until then: a record names the birth.
  function ends.hold(at, stubs)
    if at == 0 then return end
    local held = math.max(at, ends.held)
    -- Also until an instant that was noted while no stub was to be left.
    if stubs then call('PEXPIREAT', KEYS[1], string.format('%d', held), 'GT') end
    if held == ends.held then return end
    ends.held = held
    ends.store()
  end

  return ends
end
