#!lua
-- Head of every script that changes the users in a room. An entry says that a client is here; it belongs to an owner,
-- an incarnation of a node. A user is here from the first entry on until a grace after the last one.
--
-- KEYS[1] state, hash: v version · a when it was announced last, ms · r replication id then
-- KEYS[2] users who are here, in the order of their names · KEYS[3] user -> number of entries
-- KEYS[4] user -> what it tells of itself, JSON · KEYS[5] users to be announced as come -> when they came, ms
-- KEYS[6] users to be announced as gone -> from when on, ms · KEYS[7] owner -> number of entries
-- KEYS[8] owners that may write nothing any more -> until when that is remembered, ms
-- KEYS[9] entries of the owner: client -> user
-- KEYS[10] user -> what its clients told of themselves, the newest last: JSON [[owner, client, JSON], ...], at most 16
-- ARGV[1] owner · [2] channel · [3] PUBLISH or SPUBLISH · [4] least pause between two announcements, ms
-- State may have f, the version of how all of this is kept, absent means 1: of a later one nothing is touched (R41).
local owner, pause = ARGV[1], tonumber(ARGV[4])
if redis.call('HEXISTS', KEYS[1], 'f') == 1 then
  return redis.error_reply('NEWFORMAT a newer release keeps who is in this room in another form')
end
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local now = math.floor(now_us / 1000)

-- Numbers of this size would be written with an exponent.
local function digits(number) return string.format('%.0f', number) end

local MOST_TOLD = 16

local function told_of(user)
  local json = redis.call('HGET', KEYS[10], user)
  local told = {}
  for _, entry in ipairs(json and cjson.decode(json) or {}) do
    -- Older releases know nothing of these, and leave some behind of owners that have gone.
    if entry[1] == owner or redis.call('HEXISTS', KEYS[7], entry[1]) == 1 then told[#told + 1] = entry end
  end
  return told
end

-- Shows others the meta of the newest client; a change is announced.
local function show(user, told)
  if #told > 0 then
    redis.call('HSET', KEYS[10], user, cjson.encode(told))
  else
    redis.call('HDEL', KEYS[10], user)
  end
  local shown, newest = redis.call('HGET', KEYS[4], user), told[#told] and told[#told][3]
  if shown == (newest or false) then return end
  if newest then redis.call('HSET', KEYS[4], user, newest) else redis.call('HDEL', KEYS[4], user) end
  redis.call('ZADD', KEYS[5], 'NX', digits(now), user)
end

-- A client that gave the same meta before keeps its place, also under another owner of its node.
local function tell(client, user, meta)
  if meta == '' then return end
  local told, place = told_of(user), nil
  for i = #told, 1, -1 do
    local entry = told[i]
    if entry[2] == client and entry[3] == meta then
      if entry[1] == owner then return end
      place = place or i + 1
    elseif entry[1] == owner and entry[2] == client then
      table.remove(told, i)
      if place then place = place - 1 end
    end
  end
  table.insert(told, place or #told + 1, { owner, client, meta })
  if #told > MOST_TOLD then table.remove(told, 1) end
  show(user, told)
end

local function forget_told(client, user)
  if redis.call('HEXISTS', KEYS[10], user) == 0 then return end
  local told, found = told_of(user), false
  for i = #told, 1, -1 do
    if told[i][1] == owner and told[i][2] == client then
      table.remove(told, i)
      found = true
    end
  end
  if found then show(user, told) end
end

local function leave(client, gone_at)
  local user = redis.call('HGET', KEYS[9], client)
  if not user then return end
  redis.call('HDEL', KEYS[9], client)
  if redis.call('HINCRBY', KEYS[7], owner, -1) <= 0 then redis.call('HDEL', KEYS[7], owner) end
  if redis.call('HINCRBY', KEYS[3], user, -1) > 0 then return forget_told(client, user) end
  -- During the grace period others see the same meta.
  redis.call('HDEL', KEYS[10], user)
  redis.call('HDEL', KEYS[3], user)
  redis.call('ZADD', KEYS[6], digits(gone_at), user)
end

local function enter(client, user, meta)
  local before = redis.call('HGET', KEYS[9], client)
  if before == user then return tell(client, user, meta) end
  if before then leave(client, now) end
  redis.call('HSET', KEYS[9], client, user)
  redis.call('HINCRBY', KEYS[7], owner, 1)
  if redis.call('HINCRBY', KEYS[3], user, 1) == 1 and redis.call('ZREM', KEYS[6], user) == 0 then
    redis.call('ZADD', KEYS[2], 0, user)
    redis.call('ZADD', KEYS[5], digits(now), user)
  end
  tell(client, user, meta)
end
