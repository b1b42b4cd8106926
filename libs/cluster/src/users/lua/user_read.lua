#!lua
-- Read a user's standing, and the clock by which its instants count (R30).
-- KEYS[1] standing, see user_raise.lua
-- Reply: {r, '' for none; d; g; now, ms since 1970}
local time = redis.call('TIME')
local known = redis.call('HMGET', KEYS[1], 'r', 'd', 'g')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
return { known[1] or '', known[2] or '0', known[3] or '0', now }
