#!lua
-- Add a job to a group, unless too many are outstanding.
-- KEYS[1] jobs, stream: p text, e event
-- ARGV[1] text · [2] most outstanding jobs · [3] event
-- Reply: 1 added, 0 too many
if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('XADD', KEYS[1], '*', 'p', ARGV[1], 'e', ARGV[3])
return 1
