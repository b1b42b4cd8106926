-- The nodes that want to write a room, in the order in which they may: each commit calls the next one. Only advice,
-- for speed: what may be written is judged by documents alone. After the queue locks of Mellor-Crummey and Scott.
--
-- Text behind the sequence number in the meta: "first,second,…" node ids. The first has been called, or stood there
-- when nobody else did. A call is a message on the channel "<room's channel>:t:<node>": position of the room, then a
-- line for the name of each document of the commit and one for what is stored of it.

local MOST_WAITING = 64
-- Documents longer than this are not sent along; who is called reads them, bytes.
local MOST_NEWS = 16384

local function nodes_of(line)
  local nodes = {}
  for node in string.gmatch(line or '', '[^,]+') do nodes[#nodes + 1] = node end
  return nodes
end

local function place_of(nodes, node)
  for i = 1, #nodes do
    if nodes[i] == node then return i end
  end
  return nil
end

-- Calls the first one, unless that is the node itself; who does not listen any more is out. The news are the position
-- and then what is known of the documents.
local function call_first(nodes, own, publish, channel, news)
  local text = table.concat(news)
  if #text > MOST_NEWS then text = news[1] end
  while nodes[1] and nodes[1] ~= own do
    if call(publish, channel .. ':t:' .. nodes[1], text) > 0 then return end
    table.remove(nodes, 1)
  end
  if #nodes == 1 then nodes[1] = nil end
end

-- As it stands behind the sequence number.
local function line_of(nodes)
  if #nodes == 0 then return '' end
  return ' ' .. table.concat(nodes, ',')
end
