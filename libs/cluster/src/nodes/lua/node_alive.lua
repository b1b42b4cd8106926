#!lua flags=no-writes
-- Read the nodes that hold a lease now.
-- KEYS[1] leases, sorted set: node id -> end, ms since 1970 · KEYS[2] records, hash: node id -> JSON
-- Reply: node id, record, node id, record, ...; a record that is missing is nil
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local reply = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], string.format('(%.0f', now), '+inf')) do
  reply[#reply + 1] = id
  reply[#reply + 1] = redis.call('HGET', KEYS[2], id)
end
return reply
