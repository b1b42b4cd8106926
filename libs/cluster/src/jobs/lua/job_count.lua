#!lua flags=no-writes
-- Count the jobs of a group.
-- KEYS[1] jobs, stream · [2] jobs that failed, sorted set · [3] jobs that were given up, stream
-- Reply: {outstanding, of these not held by a node, held for their next attempt, set aside by nodes that can't handle
-- them, given up}
local held, aside = 0, 0
if redis.call('EXISTS', KEYS[1]) == 1 and #redis.call('XINFO', 'GROUPS', KEYS[1]) > 0 then
  for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], 'nodes')) do
    if string.sub(consumer[2], 1, 1) == '?' then
      aside = aside + consumer[4]
    else
      held = held + consumer[4]
    end
  end
end
local outstanding = redis.call('XLEN', KEYS[1])
return { outstanding, outstanding - held, redis.call('ZCARD', KEYS[2]), aside, redis.call('XLEN', KEYS[3]) }
