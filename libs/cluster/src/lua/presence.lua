#!lua
-- Head of every script that changes who is in a room. An entry says that a client is here; it belongs to an owner,
-- an incarnation of a node. A user is here from the first entry on until a grace after the last one.
--
-- KEYS[1] state, hash: v version · a when it was announced last, ms · r replication id then
-- KEYS[2] users who are here, in the order of their names · KEYS[3] user -> number of entries
-- KEYS[4] user -> what it tells of itself, JSON · KEYS[5] users to be announced as come -> when they came, ms
-- KEYS[6] users to be announced as gone -> from when on, ms · KEYS[7] owner -> number of entries
-- KEYS[8] owners that may write nothing any more -> until when that is remembered, ms
-- KEYS[9] entries of the owner: client -> user
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

local function leave(client, gone_at)
  local user = redis.call('HGET', KEYS[9], client)
  if not user then return end
  redis.call('HDEL', KEYS[9], client)
  if redis.call('HINCRBY', KEYS[7], owner, -1) <= 0 then redis.call('HDEL', KEYS[7], owner) end
  if redis.call('HINCRBY', KEYS[3], user, -1) > 0 then return end
  redis.call('HDEL', KEYS[3], user)
  redis.call('ZADD', KEYS[6], digits(gone_at), user)
end

local function enter(client, user, meta)
  local before = redis.call('HGET', KEYS[9], client)
  if before == user then return end
  if before then leave(client, now) end
  redis.call('HSET', KEYS[9], client, user)
  redis.call('HINCRBY', KEYS[7], owner, 1)
  if redis.call('HINCRBY', KEYS[3], user, 1) > 1 then return end
  if redis.call('ZREM', KEYS[6], user) == 1 then return end
  redis.call('ZADD', KEYS[2], 0, user)
  redis.call('ZADD', KEYS[5], digits(now), user)
  if meta ~= '' then redis.call('HSET', KEYS[4], user, meta) end
end
