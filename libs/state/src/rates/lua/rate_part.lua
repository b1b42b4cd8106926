#!lua
-- Give a node a part of a user's limit, and take note of what it did with the one before.
--
-- KEYS[1] "instant:commands ...", µs since 1970: commands that were given away, each until this instant
-- ARGV[1] limit · [2] window, µs · [3] how long a part may be used, µs · [4] commands wanted · [5] most instants kept
--   · [6] width within which instants may become one, µs · [7] time after which what was not used of a part that is over
--   has come back, µs · [8] instant of the part before, '' there is none · [9] its commands · [10] those that were
--   carried out
-- Reply: {commands given, their instant, 0}, or {0, 0, wait in µs}
local limit, window, life, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local latest = now + life
local parts = {}
local function earlier(a, b) return a.at < b.at end
for at, count in string.gmatch(redis.call('GET', KEYS[1]) or '', '(%d+):(%d+)') do
  -- After a step of the clock back nobody waits longer than for a window.
  at = math.min(tonumber(at), latest)
  if at > now - window then parts[#parts + 1] = {at = at, count = tonumber(count)} end
end

local instant, count, used = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
-- A part that does not count any more has nothing to give back.
if instant and instant > now - window then
  for i = 1, #parts do
    local part = parts[i]
    if part.at >= instant and part.count >= count then
      part.count = part.count - count
      parts[#parts + 1] = {at = math.min(now, part.at), count = used}
      break
    end
  end
end

table.sort(parts, earlier)
local left = limit
for i = 1, #parts do left = left - parts[i].count end
local given, until_at, wait = 0, 0, 0
if wanted > 0 and left >= 1 then
  given = math.min(wanted, math.max(1, math.floor(left / 10)))
  until_at = given > 1 and latest or now
  parts[#parts + 1] = {at = until_at, count = given}
  table.sort(parts, earlier)
elseif wanted > 0 then
  for i = 1, #parts do
    left = left + parts[i].count
    if left >= 1 then
      wait = parts[i].at + window - now
      break
    end
  end
  for i = 1, #parts do
    if parts[i].at > now and parts[i].count > 0 then
      wait = math.min(wait, parts[i].at + tonumber(ARGV[7]) - now)
      break
    end
  end
end

local width = #parts > tonumber(ARGV[5]) and tonumber(ARGV[6]) or 0
local texts, sum = {}, 0
for i = 1, #parts do
  local part, after = parts[i], parts[i + 1]
  sum = sum + part.count
  local isLast = not after or (after.at ~= part.at and (width == 0 or math.floor(after.at / width) ~= math.floor(part.at / width)))
  if isLast and sum > 0 then
    texts[#texts + 1] = string.format('%.0f:%d', part.at, sum)
    sum = 0
  end
end
if #texts > 0 then
  local ends = parts[#parts].at + window - now
  redis.call('SET', KEYS[1], table.concat(texts, ' '), 'PX', math.ceil(ends / 1000))
else
  redis.call('DEL', KEYS[1])
end
return {given, until_at, wait}
