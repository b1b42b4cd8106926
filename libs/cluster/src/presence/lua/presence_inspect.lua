#!lua flags=no-writes
-- Read an owner's entries in a room, and all owners that have entries there.
-- KEYS[1] owner -> number of entries · KEYS[2] entries of the owner: client -> user
-- Reply: {replication id, {owner, ...}, {client, user, ...}}
local replid = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
if not replid then return redis.error_reply('NOREPLID this server hides its replication id') end
return { replid, redis.call('HKEYS', KEYS[1]), redis.call('HGETALL', KEYS[2]) }
