"""What changes checkpoints in Redis at once, as scripts for its server; knows no connection.

Of each place (thread and namespace) there are four keys, all in the thread's hash slot:

    items   hash   number -> item, r -> revision, s -> next number
    heads   hash   checkpoint id -> its ranges as text, a line feed, the packed head
    ids     sorted set of checkpoint ids, all of score 0: in the order of their bytes
    writes  hash   length of a checkpoint id, it, index and task -> packed write

Only commands of Redis 7.0 and Valkey are used, and no module.
"""

_COMMON = """
local items, heads, ids, writes = KEYS[1], KEYS[2], KEYS[3], KEYS[4]

local function add_ranges(ranges, head)
  for first, last in string.gmatch(string.match(head, '^[^\\n]*'), '(%d+)-(%d+)') do
    ranges[#ranges + 1] = {tonumber(first), tonumber(last)}
  end
end

local function sweep(ranges)
  for _, field in ipairs(redis.call('HKEYS', items)) do
    local number, used = tonumber(field), false
    if number then
      for _, range in ipairs(ranges) do
        if number >= range[1] and number <= range[2] then used = true break end
      end
      if not used then redis.call('HDEL', items, field) end
    end
  end
end

local function written(id)
  local mark, fields = #id .. ':' .. id .. ':', {}
  for _, field in ipairs(redis.call('HKEYS', writes)) do
    if string.sub(field, 1, #mark) == mark then fields[#fields + 1] = field end
  end
  return fields
end

local function below(one, other)
  for i = 1, math.min(#one, #other) do
    local a, b = string.byte(one, i), string.byte(other, i)
    if a ~= b then return a < b end
  end
  return #one < #other
end

local function expire(milliseconds, ...)
  if milliseconds ~= '0' then
    for _, key in ipairs({...}) do redis.call('PEXPIRE', key, milliseconds) end
  end
end
"""

# An id found has its items and writes with it: one round trip, one moment.
READ = (
    _COMMON
    + """
local id = ARGV[1]
if id == '' then
  id = redis.call('ZREVRANGEBYLEX', ids, '+', '-', 'LIMIT', 0, 1)[1]
  if not id then return false end
end
local head = redis.call('HGET', heads, id)
if not head then return false end
local ranges, found = {}, {}
add_ranges(ranges, head)
for _, range in ipairs(ranges) do
  for number = range[1], range[2] do
    local item = redis.call('HGET', items, number)
    if not item then return false end
    found[#found + 1] = tostring(number)
    found[#found + 1] = item
  end
end
local values = {}
for _, field in ipairs(written(id)) do
  values[#values + 1] = redis.call('HGET', writes, field)
end
return {id, head, found, values, redis.call('HMGET', items, 'r', 's')}
"""
)

# 0 if the place is not at the revision that the put was made for.
PUT = (
    _COMMON
    + """
local namespaces = KEYS[5]
local expected, revision, following, alone = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local id, head, milliseconds, namespace = ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local current = redis.call('HGET', items, 'r')
if (current or '') ~= expected then return 0 end
local replaced = redis.call('HKEYS', heads)
-- Heads whose items are gone, evicted: their numbers will be given again.
if not current or alone == '1' then redis.call('DEL', heads, ids) end
redis.call('HSET', items, 'r', revision, 's', following)
for i = 9, #ARGV, 2 do redis.call('HSET', items, ARGV[i], ARGV[i + 1]) end
redis.call('HSET', heads, id, head)
redis.call('ZADD', ids, 0, id)
redis.call('SADD', namespaces, namespace)
if alone == '1' then
  local ranges, gone = {}, {}
  add_ranges(ranges, head)
  sweep(ranges)
  for _, other in ipairs(replaced) do gone[other] = other ~= id end
  -- Those of newer checkpoints stay: tasks write before their checkpoint is stored.
  for _, field in ipairs(redis.call('HKEYS', writes)) do
    local size, rest = string.match(field, '^(%d+):(.*)$')
    local owner = string.sub(rest, 1, tonumber(size))
    if gone[owner] or below(owner, id) then redis.call('HDEL', writes, field) end
  end
end
expire(milliseconds, items, heads, ids, writes, namespaces)
return 1
"""
)

# With newest_only nothing is added to a checkpoint that a newer one has replaced.
PUT_WRITES = (
    _COMMON
    + """
local namespaces, milliseconds, namespace = KEYS[5], ARGV[1], ARGV[2]
local newest_only, id = ARGV[3], ARGV[4]
if newest_only == '1' and redis.call('HEXISTS', heads, id) == 0 then
  local newest = redis.call('ZREVRANGEBYLEX', ids, '+', '-', 'LIMIT', 0, 1)[1]
  if newest and below(id, newest) then return 0 end
end
for i = 5, #ARGV, 3 do
  redis.call(ARGV[i], writes, ARGV[i + 1], ARGV[i + 2])
end
redis.call('SADD', namespaces, namespace)
expire(milliseconds, writes, namespaces)
return 1
"""
)

# Deletes the checkpoints of these ids and what only they used.
DROP = (
    _COMMON
    + """
for i = 2, #ARGV do
  local id = ARGV[i]
  redis.call('HDEL', heads, id)
  redis.call('ZREM', ids, id)
  for _, field in ipairs(written(id)) do redis.call('HDEL', writes, field) end
end
if redis.call('EXISTS', heads) == 0 then
  redis.call('DEL', items)
else
  local ranges = {}
  for _, head in ipairs(redis.call('HVALS', heads)) do add_ranges(ranges, head) end
  redis.call('HSET', items, 'r', ARGV[1])
  sweep(ranges)
end
return 1
"""
)
