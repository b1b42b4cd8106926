-- Take a dead owner's entries out of a room, a part at a time, and let it write no more there; then announce what is
-- to be announced.
--
-- ARGV[5] from when on its users count as gone, unless they are back, ms · [6] most entries to remove
-- Reply: {1 if entries are left, now, in how many ms to call again, -1 never, 1 if an announcement was refused, 0 if one
--   was made}
local DEAD_MS = 3600000
redis.call('ZREMRANGEBYSCORE', KEYS[8], '-inf', digits(now))
redis.call('ZADD', KEYS[8], digits(now + DEAD_MS), owner)
redis.call('PEXPIRE', KEYS[8], DEAD_MS)
for _, client in ipairs(redis.call('HRANDFIELD', KEYS[9], ARGV[6])) do
  leave(client, math.max(now, tonumber(ARGV[5])))
end
local left = redis.call('EXISTS', KEYS[9])
-- Where its entries and their number disagree, the entries count.
if left == 0 then redis.call('HDEL', KEYS[7], owner) end
return { left, now, announce() }
