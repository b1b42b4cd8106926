#!lua flags=no-writes
-- Read the clock by which leases end.
-- KEYS[1] leases
-- Reply: ms since 1970
local time = redis.call('TIME')
return time[1] * 1000 + math.floor(time[2] / 1000)
