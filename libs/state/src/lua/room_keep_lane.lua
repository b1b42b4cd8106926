-- Keep the record of a lane until then, and with it what the room is known by (R36).
--
-- KEYS[5] record hash of the lane · ARGV[1] nonce, see room.lua · [2] until when, ms since 1970
-- Reply: 1 kept · 0 there is no record.
local birth = string.match(call('HGET', KEYS[5], 'h') or '', '^%d+ %d+ %d+ (%S+)')
if not birth then return 0 end
call('PEXPIREAT', KEYS[5], ARGV[2])
local room = open_room()
if not room or room.birth ~= birth then return 1 end
life_of(room).hold(ARGV[2] + 0, room.keep_at == '' or string.sub(room.kept, -1) == '+')
return 1
