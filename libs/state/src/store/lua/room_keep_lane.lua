-- Keep the record of a lane until a time, and with it the room's meta (R36).
--
-- KEYS[5] record hash of the lane · ARGV[1] nonce, see room.lua · [2] until when, ms since 1970 · [3] "+" where stubs
--   may be left, see room_ends.lua
-- Reply: 1 kept · 0 there is no record.
if call('PEXPIREAT', KEYS[5], ARGV[2]) == 0 then return 0 end
-- Nothing of one that a newer release keeps in another form.
local birth = string.match(call('HGET', KEYS[5], 'h') or '', '^%d+ %d+ %d+ (%S+)')
if not birth then return 1 end
local room = open_room()
if not room or room.birth ~= birth then return 1 end
ends_of(room).hold(ARGV[2] + 0, ARGV[3] == '+')
return 1
