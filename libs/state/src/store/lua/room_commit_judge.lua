-- All that may refuse a commit: the verdicts on numbers, counters and documents, and then the log, which is written first
-- because it alone may still refuse. Nothing is changed before, and nothing refuses afterwards (R2, R35).

-- Rate limits by the generic cell rate algorithm. The key of a limit holds the time at which all that was charged will
-- have been worked off, µs; every charge moves it by a step, and it may lie at most a burst ahead. It is kept up to an
-- instant that only the time's part of LIMIT_PART_US decides, so most charges need not move that.
local aheads, charge, now_us
if charges > 0 then
  -- The time of each limit after the commit, and behind them the stored ones.
  local near = false
  aheads, now_us = {}, time[1] * 1000000 + time[2]
  for i = 1, charges do
    local steps, burst = match(ARGV[charges_from + i], '^q(%d+) (%d+)')
    local stored = (call('GET', KEYS[4 + entries + i]) or 0) + 0
    local ahead = (stored > now_us and stored or now_us) + steps
    if ahead > now_us + burst then near = true end
    aheads[i], aheads[charges + i] = ahead, stored
  end
  -- Where each limit has room for all of its entries, it has room for those that count; else they are judged one by one.
  if near then
    local limits = {}
    for i = 1, charges do
      local burst, step, of = match(ARGV[charges_from + i], '^q%d+ (%d+) (%d+)(.*)$')
      limits[i] = { burst = burst + now_us, step = step + 0, of = of ~= '' and of }
      -- It lies no further ahead than that unless the clock was set back.
      aheads[i] = math.min(math.max(aheads[charges + i], now_us), limits[i].burst)
    end
    -- Charges an entry, all of its limits or none; what is refused leaves the number of a session next.
    function charge(entry, lane)
      local wait_us, refuses, charged = 0, nil, {}
      for i, limit in ipairs(limits) do
        if not limit.of or string.find(limit.of, ',' .. entry .. ',', 1, true) then
          local wait = aheads[i] + limit.step - limit.burst
          if wait > wait_us then wait_us, refuses = wait, i end
          charged[#charged + 1] = i
        end
      end
      if refuses then
        if lane.ends_at > 0 then lane.highest, lane.limited = lane.highest - 1, true end
        return 'limited|' .. refuses .. ' ' .. string.format('%d', math.ceil(wait_us / 1000))
      end
      for _, i in ipairs(charged) do aheads[i] = aheads[i] + limits[i].step end
      return 'ok'
    end
  end
end

-- Keys that take effect once: their lanes stand in a sorted set by the end of their records. It may have members that are
-- over; there is room for one more if the member is that stands so far in front that most remain behind it.
local kept
if onces > 0 then
  kept = { key = KEYS[5 + entries + charges], added = 0, lanes = {} }
  kept.count = call('ZCARD', kept.key)
  for j = 1, onces do
    local entry, most, lane = match(ARGV[charges_from + charges + j], '^o (%d+) (%d+) (.*)$')
    kept[entry + 0] = { most = most + 0, lane = lane }
  end
  function kept.judge(i, lane)
    local over, ends_at = kept.count + kept.added - kept[i].most, lane.ends_at + RECORD_GRACE_MS
    if over >= 0 then
      local at = call('ZRANGE', kept.key, over, over, 'WITHSCORES')[2] or ends_at
      if at + 0 > now then
        lane.highest = lane.highest - 1
        return 'full|' .. string.format('%d', math.ceil(at - now))
      end
    end
    kept.added = kept.added + 1
    kept.lanes[kept[i].lane] = ends_at
    return 'ok'
  end
end

local verdicts, refused = {}, false
for i = 1, entries do
  local verdict = judge(KEYS[4 + i], i)
  if kept and verdict == 'ok' and kept[i] then verdict = kept.judge(i, lanes[KEYS[4 + i]]) end
  if charge and verdict == 'ok' then verdict = charge(i, lanes[KEYS[4 + i]]) end
  verdicts[i] = verdict
  if verdict ~= 'ok' then refused = true end
end
if foreign then return redis.error_reply('NEWFORMAT a newer release keeps records of this room in another form') end
local values, results = {}, {}
for i = 1, operations do
  local entry, by, low, high, name = match(ARGV[operations_from + i], '^(%d+) (%S+) (%S+) (%S+) (.*)$')
  entry, low, high = tonumber(entry), tonumber(low), tonumber(high)
  if verdicts[entry] == 'ok' then
    local value = values[name]
    if not value then
      value = call('HGET', KEYS[4], name)
      if not value then find_lost(room) end
      value = (value or 0) + 0
    end
    value = value + by
    if (low and value < low) or (high and value > high) or math.abs(value) > 9007199254740991 then
      verdicts[entry] = 'bound|' .. i
      refused = true
    else
      values[name] = value
      results[i] = string.format('%.0f', value)
    end
  end
end
local conflict, names, json_from, changed_by, current = false, {}, {}, {}, {}
for i = 1, documents do
  local entry, base, length, at = match(ARGV[documents_from + i], '^(%d+) (%S*) (%d+) ()')
  local bar = at + length
  local name = sub(ARGV[documents_from + i], at, bar - 1)
  local document = call('HGET', KEYS[2], name)
  names[i], json_from[i], changed_by[i], current[i] = name, bar, entry + 0, document
  if document then
    if base == '' or sub(document, 1, #base + 1) ~= base .. '|' then conflict = true end
  else
    find_lost(room)
    if base ~= '' then conflict = true end
  end
end
local node = sub(mode, 1, 1) == '@' and sub(mode, 2)
local unopened = room.deleted and opens == '~' and total ~= '0' and mode ~= '2'
if refused or conflict or outdated or unopened or mode == '2' then
  local ahead = conflict and '?' or '-'
  if conflict and node then
    local nodes = nodes_in(room.queue)
    local place = place_of(nodes, node)
    if not place and #nodes < MOST_WAITING then
      place = #nodes + 1
      nodes[place] = node
      call('HSET', KEYS[1], 's', room.digits .. queue_text(nodes))
    end
    if place then ahead = string.format('%d', place - 1) end
  end
  local head = 'judged ' .. room.epoch .. ' ' .. room.digits .. ' ' .. ahead .. ' ' .. room.replid .. ' ' .. room.lost
  if outdated then
    head = head .. ' ' .. (room.gate or '-') .. '\n' .. (call('HGET', KEYS[1], 'g') or '')
  elseif unopened then
    head = head .. ' deleted'
  end
  local reply = { head }
  for i = 1, entries do reply[i + 1] = verdicts[i] end
  for i = 1, documents do
    reply[#reply + 1] = names[i]
    reply[#reply + 1] = current[i] or ''
  end
  return reply
end
-- A stream entry of several events leaps over numbers, which must be free too; where it has one, its id tells.
local text, events = ARGV[2], total + 0
if events > 1 and sub(text, 1, 2) ~= '1\n' and sub(text, 1, 3) ~= '1+\n' then
  if call('XREAD', 'COUNT', 1, 'STREAMS', KEYS[3], room.number .. '-' .. room.digits) then
    life_of(room).open_epoch()
    return 'again'
  end
end

local function fill(text)
  if operations == 0 then return text end
  return (string.gsub(text, '\1(%d+)\2', function(i) return results[tonumber(i)] end))
end
local append, last = redis.pcall, room.seq + events
local oldest = last % TRIM_EVERY < events and last - match(ARGV[1], '(%d+) %S+$') or 0
-- Sequence number of each entry, as text: that of its last event.
local seqs, seq, digits, from = {}, room.seq, room.digits, 1
-- Parts that are new.
local created = ''
for i = 1, entries do
  local size = sizes[i]
  if size > 0 then
    local body = sub(text, from, from + size - 1)
    from = from + size + 1
    seq = seq + match(body, '^%d+')
    digits = string.format('%d', seq)
    local id = room.number .. '-' .. digits
    local added
    if oldest > 0 and seq == last then
      added = append('XADD', KEYS[3], 'NOMKSTREAM', 'MINID', '~', oldest_id(room, oldest), id, 'd', fill(body))
    else
      added = append('XADD', KEYS[3], 'NOMKSTREAM', id, 'd', fill(body))
    end
    if not added then
      created, added = 'x', append('XADD', KEYS[3], id, 'd', fill(body))
    end
    if append ~= call then
      if added ~= id then
        if not string.find(added.err, 'equal or smaller', 1, true) then return added end
        life_of(room).open_epoch()
        return 'again'
      end
      append = call
    end
  end
  seqs[i] = digits
end
