"""What changes a run in Redis at once, as scripts for its server; knows no connection."""

_LAST = """
local function last_of(stream)
  local found = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
  if not found then return 0, '' end
  return tonumber(string.match(found[1], '^%d+')), found[2][2]
end
"""

# A lease that ran out is taken again, unless another has closed the run.
RENEW = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""

# The id of the last event, -1 if another holds or has closed the run. Events of a forgotten run
# are not kept, but its lease lives on.
APPEND = (
    _LAST
    + """
local stream, lease, forgotten, room = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local worker, milliseconds, kept, first = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local holder = redis.call('GET', lease)
if holder and holder ~= worker then return -1 end
if not holder then redis.call('SET', lease, worker, 'PX', milliseconds) end
if redis.call('EXISTS', forgotten) == 1 then
  if ARGV[#ARGV - 1] == 'done' then redis.call('SET', lease, 'closed', 'EX', kept) end
  return first + (#ARGV - 5) / 2 - 1
end
local last = last_of(stream)
if last ~= first - 1 then return last end
if first == 1 then
  redis.call('SADD', room, ARGV[5])
  redis.call('EXPIRE', room, 2 * kept)
end
for i = 6, #ARGV, 2 do
  last = last + 1
  redis.call('XADD', stream, last .. '-0', 'n', ARGV[i], 'd', ARGV[i + 1])
  if ARGV[i] == 'done' then redis.call('SET', lease, 'closed', 'EX', kept) end
end
redis.call('EXPIRE', stream, kept)
return last
"""
)

# 1 if the stream has its end then, 0 if its worker holds it or it was forgotten.
CLOSE = (
    _LAST
    + """
local stream, lease, kept = KEYS[1], KEYS[2], ARGV[1]
if redis.call('EXISTS', KEYS[3]) == 1 then return 0 end
local last, name = last_of(stream)
if name == 'done' then return 1 end
local holder = redis.call('GET', lease)
if holder and holder ~= 'closed' then return 0 end
redis.call('SET', lease, 'closed', 'EX', kept)
last = last + ARGV[2]
for i = 3, #ARGV, 2 do
  if not (ARGV[i] == 'message' and name == 'message') then
    last = last + 1
    redis.call('XADD', stream, last .. '-0', 'n', ARGV[i], 'd', ARGV[i + 1])
  end
end
redis.call('EXPIRE', stream, kept)
return 1
"""
)

# Counts runs of a user until when they are held, by the server's clock; 0 if there are too many.
# With a room the one run is known as the room's before it tells anything.
ADMIT = """
local user, room = KEYS[1], KEYS[2]
local most, milliseconds, kept = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local clock = redis.call('TIME')
local moment = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('ZREMRANGEBYSCORE', user, '-inf', moment)
if redis.call('ZCARD', user) >= most then return 0 end
for i = 4, #ARGV do redis.call('ZADD', user, moment + milliseconds, ARGV[i]) end
redis.call('PEXPIRE', user, milliseconds)
if room then
  redis.call('SADD', room, ARGV[4])
  redis.call('EXPIRE', room, kept)
end
return 1
"""
