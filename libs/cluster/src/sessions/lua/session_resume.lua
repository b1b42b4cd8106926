#!lua
-- Take a session over: raise its generation and move its end.
-- KEYS[1] record · KEYS[2] set of rooms with numbered commands · KEYS[3] set of rooms it is a member of
-- ARGV[1] user · [2] generation in the token · [3] end in the token, ms · [4] how long it lasts from now on, ms
-- ARGV[5] grace of records, ms · [6] start in the token, ms · [7] replication id in the token; both '' in tokens of older
--   releases · [8] when the user was revoked, ms; '' never
-- A record that is missing on the history that the token names was removed, so the session is not made again; on another
-- one Redis has lost it (R7).
-- An end that was moved within the last eighth of that time stays, if the records of the session's commands were
-- extended to it: l is the end to which all of them were extended last.
-- Reply: {new generation, or 0 when the session is another user's, revoked or over; its end, ms; 1 if it has forgotten
--   numbered commands of rooms, else 0; 1 if their records were extended to its end, else 0; its start, ms, '' unknown;
--   replication id}. The sets are read in parts by the caller: they may be large.
local record = redis.call('HMGET', KEYS[1], 'u', 'g', 'e', 'x', 'f', 'l', 'b')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if record[1] and record[1] ~= ARGV[1] then return { 0, '0', 0, 0 } end
if record[4] or now >= tonumber(record[3] or ARGV[3]) then return { 0, '0', 0, 0 } end
local starts = record[7] or ARGV[6]
if ARGV[8] ~= '' and (starts == '' or tonumber(starts) <= tonumber(ARGV[8])) then return { 0, '0', 0, 0 } end
local replid = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)') or ''
if not record[1] and replid ~= '' and ARGV[7] == replid then return { 0, '0', 0, 0 } end
local generation = math.max(tonumber(record[2] or '0'), tonumber(ARGV[2])) + 1
local lasts = tonumber(ARGV[4])
local moved_in = now + lasts - tonumber(record[3] or '0')
local are_extended = record[3] and record[6] == record[3] and moved_in >= 0 and moved_in < lasts / 8
local ends = are_extended and record[3] or string.format('%.0f', now + lasts)
redis.call('HSET', KEYS[1], 'u', ARGV[1], 'g', generation, 'e', ends)
if not record[7] and starts ~= '' then redis.call('HSET', KEYS[1], 'b', starts) end
local at = string.format('%.0f', ends + tonumber(ARGV[5]))
for i = 1, 3 do redis.call('PEXPIREAT', KEYS[i], at) end
return { generation, ends, record[5] and 1 or 0, are_extended and 1 or 0, starts, replid }
