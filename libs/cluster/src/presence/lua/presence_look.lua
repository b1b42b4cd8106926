#!lua flags=no-writes
-- Read all owners of presence entries and how long the leases of their nodes hold.
-- KEYS[1] leases, sorted set: node id -> end, ms since 1970 · KEYS[2] owners: '<node id>~<number>'
-- Reply: {replication id, now, owner, end of its node's lease or '', ...}
local time = redis.call('TIME')
local replid = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
if not replid then return redis.error_reply('NOREPLID this server hides its replication id') end
local reply = { replid, time[1] * 1000 + math.floor(time[2] / 1000) }
for _, owner in ipairs(redis.call('SMEMBERS', KEYS[2])) do
  reply[#reply + 1] = owner
  reply[#reply + 1] = redis.call('ZSCORE', KEYS[1], string.match(owner, '^(.*)~')) or ''
end
return reply
