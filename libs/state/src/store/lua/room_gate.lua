-- The endings of memberships of a room (R38). The twin of core's RoomGate.
--
-- Meta g: lines, oldest ending first: the floor, then "position\ttarget\treason". A position is "number of the
-- epoch.sequence number". Target: u and JSON of a user's name, s and JSON of a session's id, * for everybody, *d for
-- everybody because the room was deleted. The floor
-- is the position of the newest ending that was dropped because there were too many; 0.0 for none.

local MOST_ENDINGS = 64

-- The list after a further ending, which replaces an older one of the same target; a closing replaces all but a
-- deletion, and a deletion all.
local function with_ending(list, at, ending)
  local target = string.match(ending, '^[^\t]*')
  local floor, lines, of_all = '0.0', {}, string.sub(target, 1, 1) == '*'
  for line in string.gmatch(list, '[^\n]+') do
    local known = string.match(line, '^[^\t]*\t([^\t]*)')
    if not known then
      floor = of_all and floor or line
    elseif of_all and target ~= '*d' and known == '*d' or not of_all and known ~= target then
      lines[#lines + 1] = line
    end
  end
  lines[#lines + 1] = at .. '\t' .. ending
  if #lines > MOST_ENDINGS then floor = string.match(table.remove(lines, 1), '^[^\t]*') end
  return floor .. '\n' .. table.concat(lines, '\n')
end
