#!lua
-- Set how many places a node has taken, unless all nodes together would have more than there are.
--
-- KEYS[1] hash: node -> its places · ARGV[1] node · [2] its places now; 0: it is forgotten · [3] most places of all
--   nodes, '' any number · [4] how long they are kept after the last call, ms
-- Reply: nil, it is noted; or {node, places, ...}: there are too many, and these are the other nodes' places
local count = tonumber(ARGV[2])
if ARGV[3] ~= '' then
  local known, all = redis.call('HGETALL', KEYS[1]), count
  for i = 1, #known, 2 do
    if known[i] ~= ARGV[1] then all = all + known[i + 1] end
  end
  if all > tonumber(ARGV[3]) then
    local others = {}
    for i = 1, #known, 2 do
      if known[i] ~= ARGV[1] then
        others[#others + 1] = known[i]
        others[#others + 1] = known[i + 1]
      end
    end
    return others
  end
end
if count > 0 then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
else
  redis.call('HDEL', KEYS[1], ARGV[1])
end
return false
