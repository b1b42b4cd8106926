-- The writes after the log. Nothing here depends on rights or settings (R35): the commit is complete with
-- the meta; expiries and publications come last.

-- True if the room's keys must be kept longer, or e is written anyway; and from when on they would have to be.
local due = not room.fresh or room.kept ~= lifetimes or raises
for i = 1, documents do
  local json = sub(ARGV[documents_from + i], json_from[i])
  if json ~= '|' then
    local document = room.epoch .. ':' .. seqs[changed_by[i]] .. json
    if call('HSET', KEYS[2], names[i], document) > 0 then created = created .. 'd' end
    current[i] = document
  end
end
for name, value in pairs(values) do
  if call('HSET', KEYS[4], name, string.format('%.0f', value)) > 0 then created = created .. 'v' end
end
for i = 1, charges do
  local key, at, stored = KEYS[4 + entries + i], aheads[i], aheads[charges + i]
  local part = at - at % LIMIT_PART_US
  if part == stored - stored % LIMIT_PART_US then
    call('SET', key, string.format('%d', at), 'KEEPTTL')
  else
    local ms = (part + 2 * LIMIT_PART_US - now_us) / 1000
    call('SET', key, string.format('%d', at), 'PX', string.format('%d', ms))
  end
end
if kept and kept.added > 0 then
  local key = kept.key
  local last = call('PEXPIRETIME', key)
  call('ZREMRANGEBYSCORE', key, '-inf', string.format('%d', now))
  for lane, ends_at in pairs(kept.lanes) do
    last = math.max(last, ends_at)
    call('ZADD', key, string.format('%d', ends_at), lane)
  end
  call('PEXPIREAT', key, string.format('%d', last))
end
local named_until = 0
local function write_lane(key, lane, n, record)
  local head = n .. ' ' .. lane.acked_digits .. ' ' .. lane.generation .. ' ' .. room.birth .. ' ' .. record
  if lane.stored > lane.acked then
    call('HSET', key, 'h', head, lane.digits, sub(lane.head, lane.record_at))
  else
    call('HSET', key, 'h', head)
  end
end
-- The numbers that are acknowledged now and were not before: their records go.
local function tidy_lane(key, lane)
  local to = math.min(lane.acked, lane.stored - 1)
  if lane.ack < to then
    local done = {}
    for n = lane.ack + 1, to do done[#done + 1] = n end
    call('HDEL', key, unpack(done))
  end
  if lane.ends_at < 0 then
    call('PEXPIRE', key, NODE_LANE_MS)
  elseif not lane.birth then
    local at = lane.ends_at + RECORD_GRACE_MS
    call('PEXPIREAT', key, string.format('%d', at))
    if at > named_until then named_until = at end
  end
end
local untidy
for i = 1, entries do
  local key, n, record = KEYS[4 + i], numbers[i], seqs[i] .. fill(records[i])
  local lane = lanes[key]
  if lane.newest == i then
    write_lane(key, lane, n, record)
    if not lane.birth or lane.ends_at < 0 or (lane.acked > lane.ack and lane.stored > lane.ack + 1) then
      untidy = untidy or {}
      untidy[key] = lane
    end
  elseif n + 0 > lane.acked then
    call('HSET', key, n, record)
  end
end
-- Was the node called, or did it overtake the called one? Then the next one is called, and the node goes to the end.
local ahead, waiting, nodes, place = '0', '', nil, nil
if room.queue then
  nodes = nodes_in(room.queue)
  place = node and place_of(nodes, node)
  if place then table.remove(nodes, place) end
  if place and place > 1 then table.remove(nodes, 1) end
  if node and #nodes > 0 and #nodes < MOST_WAITING then nodes[#nodes + 1] = node end
  waiting = queue_text(nodes)
  ahead = node and nodes[#nodes] == node and #nodes - 1 or #nodes
end
-- How many endings there are, and whether one deletes the room.
local endings, deletes = 0, false
if raises then
  local list, at = call('HGET', KEYS[1], 'g') or '', 1
  for i = 1, entries do
    local ending = sizes[i] > 0 and match(sub(text, at, at + sizes[i] - 1), '^1!\n[^\n]*\n[^\n]*\n(.*)$')
    if ending then
      endings, deletes = endings + 1, deletes or sub(ending, 1, 3) == '*d\t'
      room.gate = room.number .. '.' .. seqs[i]
      list = with_ending(list, room.gate, ending)
    end
    if sizes[i] > 0 then at = at + sizes[i] + 1 end
  end
  room.head = '@' .. room.gate .. ' '
  call('HSET', KEYS[1], 'g', list)
end
-- The epoch that the commit belongs to.
local epoch = room.epoch
-- A marked life stays unused where memberships end in it.
local marked = room.deleted and not deletes and events == endings
local moves, stubs, idle, due_from = due and events > 0 and not deletes and not marked, nil, nil, nil
if deletes then
  room.seq, room.digits, nodes, place, ahead = last, digits, nil, nil, '0'
  life_of(room).delete(idle_text)
elseif marked and raises then
  life_of(room).stay_unused()
elseif room.deleted and not marked then
  life_of(room).use()
end
if moves then
  idle, stubs = match(idle_text, '^(%d+)(%+?)$')
  idle, ttl = idle + 0, ttl + 0
  due_from = math.floor(now + (idle > 0 and math.min(ttl, idle) or ttl) * SLACK)
  local history = room.head .. room.replid .. ' ' .. room.birth .. ' ' .. room.epoch .. ' ' .. string.format('%d', due_from)
  call('HSET', KEYS[1], 's', digits .. waiting, 'e', history .. ' ' .. lifetimes)
elseif not deletes and (events > 0 or room.queue) then
  call('HSET', KEYS[1], 's', digits .. waiting)
end

if untidy then
  for key, lane in pairs(untidy) do tidy_lane(key, lane) end
end
if moves then
  local ends = ends_of(room)
  -- Records that an older release made are known by their next command only.
  for _, lane in pairs(lanes) do
    if lane.ends_at > 0 then named_until = math.max(named_until, lane.ends_at + RECORD_GRACE_MS) end
  end
  ends.held = math.max(ends.held, named_until)
  ends.move(idle > 0 and due_from + idle or 0, due_from + ttl, stubs == '+')
elseif deletes then
  ends_of(room).hold(math.max(named_until, now + STUB_MS), sub(idle_text, -1) == '+')
elseif created ~= '' or named_until > 0 then
  local ends = ends_of(room)
  ends.created(created)
  ends.hold(named_until, sub(idle_text, -1) == '+')
end

local refusal_to_publish = false
if place then
  local news, deaf = { epoch .. ':' .. digits }, 0
  for i = 1, documents do
    if current[i] then news[#news + 1] = '\n' .. names[i] .. '\n' .. current[i] end
  end
  deaf, refusal_to_publish = call_first(nodes, node, publish, channel, news)
  ahead = ahead - deaf
end
if events > 0 then
  local first = events == 1 and digits or string.format('%d', last - events + 1)
  local heard = redis.pcall(publish, channel, epoch .. ':' .. digits .. ' ' .. first .. '\n' .. fill(text))
  if type(heard) ~= 'number' then refusal_to_publish = true end
end

local reply = 'committed ' .. epoch .. ' ' .. digits .. ' ' .. ahead .. ' ' .. room.replid .. ' ' .. room.lost
if refusal_to_publish then reply = reply .. ' unheard' end
if operations == 0 then return reply end
return { reply, unpack(results) }
