#!lua flags=no-writes
-- Count the jobs of a group.
-- KEYS[1] jobs, stream · [2] jobs that were given up, stream
-- Reply: {outstanding, of these set aside by nodes that can't handle them, given up}
local aside = 0
if redis.call('EXISTS', KEYS[1]) == 1 and #redis.call('XINFO', 'GROUPS', KEYS[1]) > 0 then
  for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], 'nodes')) do
    if string.sub(consumer[2], 1, 1) == '?' then aside = aside + consumer[4] end
  end
end
return { redis.call('XLEN', KEYS[1]), aside, redis.call('XLEN', KEYS[2]) }
