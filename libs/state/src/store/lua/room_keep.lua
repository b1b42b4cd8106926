-- Keep a room that has members: it ends no earlier than its idle time from now.
--
-- ARGV[1] nonce, see room.lua · [2] idle, see room_ends.lua, ms
-- Reply: 1 kept · 0 there is no room to keep, or it has ended: its next use tells.
local room, refusal = open_room()
if not room then return refusal end
if not room.past then return 0 end
local life = life_of(room)
if life.has_ended() then return 0 end
life.keep(ARGV[2], room.past)
return 1
