-- Change an owner's entries in a room, then announce what is to be announced. Repeating it changes nothing.
--
-- ARGV[5] when the call has become too old to be done, ms · [6] for how long the caller's node hears announcements
--   again of which it may have missed some, ms, or '' · then per change three: '+<client>' · user · JSON of what it
--   tells of itself or '', or '-<client>' · after how many ms its user counts as gone · '', or '!<user>' · '' · '': the user's
--   grace period is over; without a name everybody's
-- Reply: {'done', now, in how many ms to call again, -1 never, 1 if an announcement was refused, 0 if one was made,
--   1 if a user whose grace period is over has entries} ·
--   {'late', now} and {'dead', now}: nothing was done
local TOLD_MS = 86400000
if now > tonumber(ARGV[5]) then return { 'late', now } end
local dead_until = redis.call('ZSCORE', KEYS[8], owner)
if dead_until and now < tonumber(dead_until) then return { 'dead', now } end
local is_here = 0
-- Those who are still in their grace period leave now.
local function without_grace(user)
  local users = { user }
  if user == '' then
    users = redis.call('ZRANGE', KEYS[6], '(' .. digits(now), '+inf', 'BYSCORE')
  elseif redis.call('HEXISTS', KEYS[3], user) == 1 then
    is_here = 1
  end
  for _, one in ipairs(users) do redis.call('ZADD', KEYS[6], 'XX', 'LT', digits(now), one) end
end
for i = 7, #ARGV, 3 do
  local client = string.sub(ARGV[i], 2)
  if string.byte(ARGV[i]) == 43 then
    enter(client, ARGV[i + 1], ARGV[i + 2])
  elseif string.byte(ARGV[i]) == 33 then
    without_grace(client)
  else
    leave(client, now + tonumber(ARGV[i + 1]))
  end
end
-- An older release that empties the room leaves this behind; a node in the room comes by within a minute.
redis.call('PEXPIRE', KEYS[10], TOLD_MS)
local due, refused = announce(tonumber(ARGV[6]))
return { 'done', now, due, refused, is_here }
