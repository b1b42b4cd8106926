-- A node with nothing to write leaves the queue of writers, and calls the next one if it was the first.
--
-- KEYS[1] meta · ARGV[1] channel · [2] node · [3] PUBLISH or SPUBLISH
-- Reply: how many nodes are left; 0 also where a newer release keeps the room in another form.
local digits, queue = string.match(call('HGET', KEYS[1], 's') or '', '^(%d+) (.*)$')
local history = call('HGET', KEYS[1], 'e') or ''
local epoch = string.match(history, '^%x+ %S+ (%d+%.%S+)') or string.match(history, '^@%S+ %x+ %S+ (%d+%.%S+)')
if not queue or not epoch then return 0 end
local nodes = nodes_in(queue)
local place = place_of(nodes, ARGV[2])
if not place then return #nodes end
table.remove(nodes, place)
call('HSET', KEYS[1], 's', digits .. queue_text(nodes))
if place == 1 then call_first(nodes, nil, ARGV[3], ARGV[1], { epoch .. ':' .. digits }) end
return #nodes
