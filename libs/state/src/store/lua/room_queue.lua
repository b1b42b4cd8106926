-- The queue of the nodes that want to write a room: each commit calls the next one. The queue only saves work;
-- correctness never depends on it, since documents alone decide what may be written. After the queue locks of
-- Mellor-Crummey and Scott.
--
-- Text behind the sequence number in the meta: "first,second,…" node ids. The first has been called, or stood there
-- when nobody else did. A call is a message on the channel "<room's channel>:t:<node>": position of the room, then a
-- line for the name of each document of the commit and one for what is stored of it.

local MOST_WAITING = 64
-- Documents longer than this are not sent along, bytes; the called node reads them.
local MOST_NEWS = 16384

local function nodes_in(queue)
  local nodes = {}
  for node in string.gmatch(queue or '', '[^,]+') do nodes[#nodes + 1] = node end
  return nodes
end

local function place_of(nodes, node)
  for i = 1, #nodes do
    if nodes[i] == node then return i end
  end
  return nil
end

-- Calls the first one that listens, but not the node itself; the news are the position and then what is known of the
-- documents. Returns the number of nodes before it that do not listen and are overtaken, and true if the publication
-- was refused. It comes after the last write, so that a refusal costs nothing but the call (R35).
local function call_first(nodes, own, publish, channel, news)
  local text = table.concat(news)
  if #text > MOST_NEWS then text = news[1] end
  for i = 1, #nodes do
    if nodes[i] == own then return i - 1, false end
    local heard = redis.pcall(publish, channel .. ':t:' .. nodes[i], text)
    if type(heard) ~= 'number' then return i - 1, true end
    if heard > 0 then return i - 1, false end
  end
  return #nodes, false
end

-- As it stands behind the sequence number.
local function queue_text(nodes)
  if #nodes == 0 then return '' end
  return ' ' .. table.concat(nodes, ',')
end
