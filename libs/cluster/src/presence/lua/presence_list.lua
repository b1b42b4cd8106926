#!lua flags=no-writes
-- Read the users in a room, in the order of their names.
-- KEYS[1] state · KEYS[2] users · KEYS[3] user -> what it tells of itself, JSON
-- ARGV[1] name after which to begin, '' at the first · [2] most users
-- Reply: {version, number of users, {user, ...}, {JSON or nil, ...}}
-- A state with f is of a newer release, see presence.lua.
if redis.call('HEXISTS', KEYS[1], 'f') == 1 then
  return redis.error_reply('NEWFORMAT a newer release keeps who is in this room in another form')
end
local from = ARGV[1] == '' and '-' or '(' .. ARGV[1]
local users = redis.call('ZRANGEBYLEX', KEYS[2], from, '+', 'LIMIT', 0, ARGV[2])
local metas = {}
if #users > 0 then metas = redis.call('HMGET', KEYS[3], unpack(users)) end
return { redis.call('HGET', KEYS[1], 'v') or '0', redis.call('ZCARD', KEYS[2]), users, metas }
