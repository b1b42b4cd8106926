-- Second part of every script that changes the users in a room: announces, in one message for all that happened since
-- the last one, "!" and JSON: {"version", "joined": [{"user", "meta"?}], "left": [user]}.
local MOST_USERS, MOST_BYTES, LONGEST_GRACE = 500, 65536, 60000
-- Each announcement takes more than a microsecond. So where versions begin at the time in microseconds, they are
-- beyond all that clients can have seen: when a room was empty in between, or a failover lost some of them. Where the
-- clock was set back meanwhile, this many are skipped.
local LOST_VERSIONS = 1000
-- In a big room the pause is longer, ms for each thousand users: what is announced goes to each of them.
local PAUSE_PER_THOUSAND = 200

local function take_joined()
  local joined, bytes = {}, 0
  for _, user in ipairs(redis.call('ZRANGE', KEYS[5], 0, MOST_USERS - 1)) do
    if bytes > MOST_BYTES then break end
    local meta = redis.call('HGET', KEYS[4], user)
    local json = '{"user":' .. cjson.encode(user) .. (meta and ',"meta":' .. meta or '') .. '}'
    joined[#joined + 1], bytes = json, bytes + #json
    redis.call('ZREM', KEYS[5], user)
  end
  return table.concat(joined, ',')
end

local function take_left()
  local left = {}
  for _, user in ipairs(redis.call('ZRANGEBYSCORE', KEYS[6], '-inf', digits(now), 'LIMIT', 0, MOST_USERS)) do
    -- A user's departure is not announced before the arrival.
    if not redis.call('ZSCORE', KEYS[5], user) then
      left[#left + 1] = cjson.encode(user)
      redis.call('ZREM', KEYS[6], user)
      redis.call('ZREM', KEYS[2], user)
      redis.call('HDEL', KEYS[4], user)
      redis.call('HDEL', KEYS[10], user)
    end
  end
  return table.concat(left, ',')
end

-- Publishes last, when all is written: a refusal costs only the announcement, which the next version shows (R35).
-- Returns 1 if it was refused, else 0.
local function publish(state)
  local joined = take_joined()
  local left = take_left()
  local replid = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)') or ''
  local version = tonumber(state[1] or '0')
  version = state[3] == replid and version + 1 or math.max(version + LOST_VERSIONS, now_us)
  redis.call('HSET', KEYS[1], 'v', digits(version), 'a', digits(now), 'r', replid)
  local json = '{"version":' .. digits(version) .. ',"joined":[' .. joined .. '],"left":[' .. left .. ']}'
  if redis.call('EXISTS', KEYS[2]) == 0 then redis.call('DEL', KEYS[1], KEYS[10]) end
  return type(redis.pcall(ARGV[3], ARGV[2], '!' .. json)) == 'number' and 0 or 1
end

-- In how many ms something is to be announced, or an announcement has to show that there may be missing ones; -1 if
-- nothing is.
local function due_in(announced_at, missed)
  local first = redis.call('ZRANGE', KEYS[6], 0, 0, 'WITHSCORES')[2]
  if missed or redis.call('EXISTS', KEYS[5]) == 1 then first = now end
  if not first then return -1 end
  local longer = math.floor(redis.call('ZCARD', KEYS[2]) / 1000) * PAUSE_PER_THOUSAND
  return math.max(0, math.max(tonumber(first), math.min(announced_at, now) + math.max(pause, longer)) - now)
end

-- Announces what is to be announced, unless the pause is not over; returns in how many ms to call again, -1 never, and
-- 1 if the announcement was refused, 0 if it was not, -1 if there was none.
-- With heard_for, ms, it announces even that nothing changed, unless there was an announcement since then.
local function announce(heard_for)
  -- Instants too far ahead were written before the clock was set back.
  local ahead = redis.call('ZRANGEBYSCORE', KEYS[6], digits(now + LONGEST_GRACE), '+inf', 'LIMIT', 0, MOST_USERS)
  for _, user in ipairs(ahead) do redis.call('ZADD', KEYS[6], digits(now), user) end
  local state = redis.call('HMGET', KEYS[1], 'v', 'a', 'r')
  local missed = heard_for and state[1] and tonumber(state[2]) < now - heard_for
  local wait = due_in(tonumber(state[2] or '0'), missed)
  if wait ~= 0 then return wait, -1 end
  local refused = publish(state)
  return due_in(now), refused
end
