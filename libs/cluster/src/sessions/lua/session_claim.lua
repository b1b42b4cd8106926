#!lua
-- Claim sessions whose end has passed: until the claim ends, or for good, no other node gets them.
-- KEYS[1] ends, sorted set: session -> its end, or the end of a claim, ms since 1970
-- ARGV[1] most sessions · [2] duration of the claim, ms
-- Reply: {now, end of the claim, session, session, ...}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local claim = string.format('%.0f', now + tonumber(ARGV[2]))
local reply = { string.format('%.0f', now), claim }
local ended = redis.call('ZRANGE', KEYS[1], '-inf', string.format('%.0f', now), 'BYSCORE', 'LIMIT', 0, ARGV[1])
for _, session in ipairs(ended) do
  redis.call('ZADD', KEYS[1], claim, session)
  reply[#reply + 1] = session
end
return reply
