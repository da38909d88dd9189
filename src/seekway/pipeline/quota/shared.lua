-- Limits shared by all gateways: one call for everything that one gateway has to ask and to tell.
--
-- ARGV[1] is MessagePack: {prefix, node, node before, now, lease, operations}. "now" is in seconds, 0 for this server's own clock,
-- so that the gateways' clocks do not matter. The answer is MessagePack: one value an operation.
--
-- A bucket is a hash: u is what was taken, leaking, as of t; h:NODE is what is under way at that node. Nodes are a sorted set by when
-- they were last heard of; what a node holds that is not heard of within the lease is given back by whoever sees it first.

local batch = cmsgpack.unpack(ARGV[1])
local prefix, node, before, now, lease, operations = batch[1], batch[2], batch[3], batch[4], batch[5], batch[6]
if now == 0 then
  local time = redis.call('TIME')
  now = tonumber(time[1]) + tonumber(time[2]) / 1000000
end

local REQUESTS, TOKENS = 0, 1
local SLACK = 0.000001
local SLOT_WAIT = 1
local nodes = prefix .. ':nodes'
local living = { [node] = true }

local function lives(other)
  if living[other] == nil then
    local heard = redis.call('ZSCORE', nodes, other)
    living[other] = heard and now - tonumber(heard) < lease or false
  end
  return living[other]
end

local function number(value)
  -- Lua's own way of writing a number loses digits.
  return string.format('%.17g', value)
end

local function read(id, rate)
  local key = prefix .. ':limit:' .. id
  local level, at, held = 0, now, 0
  local fields = redis.call('HGETALL', key)
  for i = 1, #fields, 2 do
    local name, value = fields[i], tonumber(fields[i + 1])
    if name == 'u' then
      level = value
    elseif name == 't' then
      at = value
    elseif lives(string.sub(name, 3)) then
      held = held + value
    else
      redis.call('HDEL', key, name)
    end
  end
  if now > at then
    level = math.max(0, level - (now - at) * rate)
  end
  return { key = key, level = level, held = held, rate = rate }
end

local function keep(bucket, holds)
  -- Forgotten when it has leaked empty; what is held lasts as long as a request can.
  local seconds = 60
  if bucket.rate > 0 then
    seconds = seconds + bucket.level / bucket.rate
  end
  if holds then
    seconds = math.max(seconds, 7200)
  end
  redis.call('PEXPIRE', bucket.key, math.ceil(seconds * 1000))
end

local function set_level(bucket, level)
  bucket.level = level
  redis.call('HSET', bucket.key, 'u', number(level), 't', number(now))
end

local function hold(bucket, amount)
  if amount ~= 0 and redis.call('HINCRBY', bucket.key, 'h:' .. node, amount) <= 0 then
    redis.call('HDEL', bucket.key, 'h:' .. node)
  end
  bucket.held = bucket.held + amount
end

-- {"a", tokens, {{id, kind, limit, rate}, ...}}: take from all or from none; {refusing bucket or 0, seconds to wait, levels}.
local function admit(operation)
  local tokens, buckets = operation[2], {}
  local worst, wait = 0, 0
  for i, given in ipairs(operation[3]) do
    local bucket = read(given[1], given[4])
    local kind, limit = given[2], given[3]
    buckets[i] = bucket
    local over
    if kind == REQUESTS then
      over = bucket.level + 1 - limit
    elseif kind == TOKENS then
      over = bucket.level + bucket.held + tokens - limit
    else
      over = bucket.held + 1 - limit
    end
    if over > SLACK then
      local delay = bucket.rate > 0 and over / bucket.rate or SLOT_WAIT
      if kind == TOKENS and tokens > limit + SLACK then
        delay = math.huge
      end
      if delay >= wait then
        worst, wait = i, delay
      end
    end
  end
  local levels = {}
  for i, given in ipairs(operation[3]) do
    local bucket, kind = buckets[i], given[2]
    if worst == 0 then
      if kind == REQUESTS then
        set_level(bucket, bucket.level + 1)
      else
        hold(bucket, kind == TOKENS and tokens or 1)
      end
      keep(bucket, kind ~= REQUESTS)
    end
    levels[i] = bucket.level
  end
  return { worst, wait == math.huge and -1 or wait, levels }
end

-- {"s", {{id, rate, held, used}, ...}}: a request is over.
local function settle(operation)
  for _, given in ipairs(operation[2]) do
    local bucket = read(given[1], given[2])
    if given[4] > 0 then
      set_level(bucket, bucket.level + given[4])
    end
    hold(bucket, -given[3])
    keep(bucket, true)
  end
  return 0
end

-- {"c", {{id, rate, base, extra, held}, ...}}: what a gateway knows after it was on its own.
local function carry(operation)
  for _, given in ipairs(operation[2]) do
    local bucket = read(given[1], given[2])
    set_level(bucket, math.max(bucket.level, given[3]) + given[4])
    if given[5] > 0 then
      redis.call('HSET', bucket.key, 'h:' .. node, given[5])
    end
    keep(bucket, given[5] > 0)
  end
  return 0
end

-- {"b"}: the node lives; {nodes alive, whether this one was}.
local function beat()
  local heard = redis.call('ZSCORE', nodes, node)
  if before ~= '' then
    redis.call('ZREM', nodes, before)
  end
  redis.call('ZADD', nodes, number(now), node)
  redis.call('ZREMRANGEBYSCORE', nodes, '-inf', number(now - 60 * lease))
  local count = redis.call('ZCOUNT', nodes, '(' .. number(now - lease), '+inf')
  return { count, heard and now - tonumber(heard) < lease and 1 or 0 }
end

local doing = { a = admit, s = settle, c = carry, b = beat }
local answers = {}
for i, operation in ipairs(operations) do
  answers[i] = doing[operation[1]](operation)
end
return cmsgpack.pack(answers)
