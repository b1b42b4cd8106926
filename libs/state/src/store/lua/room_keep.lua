-- Keep a room that has members: it ends no earlier than its idle time from now.
--
-- ARGV[1] nonce, see room.lua · [2] idle, see room_ends.lua, ms
-- Reply: 1 kept · 0 there is no room to keep, or it has ended: its next use tells.
local room, refusal = open_room()
if not room then return refusal end
if not room.past then return 0 end
local life = life_of(room)
if life.has_ended() then return 0 end
local idle, plus = string.match(ARGV[2], '^(%d+)(%+?)$')
local log, past_idle = string.match(room.kept or '', '^(%d+) (%d+)')
if room.keep_at ~= '' and (idle ~= '0' or past_idle ~= '0') then
  local history = room.head .. room.past .. ' ' .. room.birth .. ' ' .. room.epoch .. ' ' .. string.format('%d', now)
  call('HSET', KEYS[1], 'e', history .. ' ' .. log .. ' ' .. ARGV[2])
end
life.keep(idle + 0, plus == '+')
return 1
