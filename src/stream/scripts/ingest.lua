#!lua
-- Takes one entry: one request's events of one shard. Without allow-oom: at maxmemory, on a replica or
-- without replicas the whole script is refused, so nothing is half-stored.
-- An entry without rows carries notes for the ledger only.
-- KEYS  1 ev  2 idem  3 st  4 pend
-- ARGV  1 most entries  2 seconds a request key lives (0: no request key)  3 rows  4 packed rows
--       5 unpacked bytes  6 earliest received_at  7 now ms  8 window ms (0: off)  9 prefix of seen keys
--       10 source  11 field of pend ('' without rows)  12 notes  13 client sequences ('' and '' for none)
--       14 version of tombstones that the endpoint knows
--       15.. for each row: bucket, id ('' and '' when the id was given at capture)
local keyed = ARGV[2] ~= '0'
if keyed then
  local before = redis.call('GET', KEYS[2])
  if before then return {'dup', before, ''} end
end
-- What was erased since must not slip through: the endpoint loads the tombstones and judges these rows again.
if tonumber(redis.call('HGET', KEYS[3], 'tombstones') or '0') > tonumber(ARGV[14]) then return {'behind', '', ''} end
if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[1]) then return {'full', '', ''} end

local rows = tonumber(ARGV[3])
local dropped = {}
local window = tonumber(ARGV[8])
if window > 0 then
  -- The generation never goes back, so endpoints whose clocks differ agree on it.
  local gen = math.floor(tonumber(ARGV[7]) / window)
  local stored = tonumber(redis.call('HGET', KEYS[3], 'seen_gen') or '-1')
  if stored > gen then gen = stored elseif stored < gen then redis.call('HSET', KEYS[3], 'seen_gen', string.format('%d', gen)) end
  local now = ARGV[9] .. string.format('%d', gen) .. ':'
  local before = ARGV[9] .. string.format('%d', gen - 1) .. ':'
  local ttl = math.ceil(2 * window / 1000) + 60

  -- A set stays an intset (8 bytes an id) up to 512 members. A person's first 300 to 499 ids of a
  -- generation share one set; more go to 100 sets by the id's last two digits, then 10,000 by four.
  local SPILL, SPLIT = 300, 500
  local function level(key, id, n)
    return key .. ':' .. string.sub(id, -n)
  end
  local function spilled(key) return redis.call('SCARD', key) >= SPILL end
  local function in_levels(key, id)
    local first = level(key, id, 2)
    if redis.call('SISMEMBER', first, id) == 1 then return true end
    return redis.call('SCARD', first) >= SPLIT and redis.call('SISMEMBER', level(key, id, 4), id) == 1
  end
  local function mark(key, ids)
    redis.call('SADD', key, unpack(ids))
    redis.call('EXPIRE', key, ttl, 'NX')
  end

  local people, order = {}, {}
  for row = 0, rows - 1 do
    local bucket, id = ARGV[15 + 2 * row], ARGV[16 + 2 * row]
    if bucket ~= '' then
      if not people[bucket] then people[bucket] = {rows = {}, ids = {}}; order[#order + 1] = bucket end
      local p = people[bucket]
      p.rows[#p.rows + 1] = row
      p.ids[#p.ids + 1] = id
    end
  end
  for _, bucket in ipairs(order) do
    local p = people[bucket]
    local here, old = now .. bucket, before .. bucket
    local in_here = redis.call('SMISMEMBER', here, unpack(p.ids))
    local in_old = redis.call('SMISMEMBER', old, unpack(p.ids))
    local here_spilled, old_spilled = spilled(here), spilled(old)
    local fresh, twice = {}, {}
    for i, id in ipairs(p.ids) do
      if in_here[i] == 1 or in_old[i] == 1 or twice[id]
        or (here_spilled and in_levels(here, id)) or (old_spilled and in_levels(old, id)) then
        dropped[#dropped + 1] = p.rows[i]
      else
        twice[id] = true
        fresh[#fresh + 1] = id
      end
    end
    if #fresh > 0 then
      if not here_spilled then
        mark(here, fresh)
      else
        for _, id in ipairs(fresh) do
          local key = level(here, id, 2)
          if redis.call('SCARD', key) >= SPLIT then key = level(here, id, 4) end
          mark(key, {id})
        end
      end
    end
  end
end

-- The decision is stored with the entry, so every re-run of the batch decides the same. Also when every
-- row is a duplicate: the entry is what the request key points to.
table.sort(dropped)
local d = table.concat(dropped, ',')
local fields = {'n', ARGV[3], 'p', ARGV[4], 'd', d, 'b', ARGV[5], 't', ARGV[6], 's', ARGV[10]}
if ARGV[12] ~= '' then fields[#fields + 1] = 'l'; fields[#fields + 1] = ARGV[12] end
if ARGV[13] ~= '' then fields[#fields + 1] = 'q'; fields[#fields + 1] = ARGV[13] end
local entry = redis.call('XADD', KEYS[1], '*', unpack(fields))
if keyed then redis.call('SET', KEYS[2], entry, 'EX', ARGV[2]) end
local kept = rows - #dropped
if kept > 0 then
  redis.call('HINCRBY', KEYS[3], 'rows_in', kept)
  redis.call('HINCRBY', KEYS[4], ARGV[11], kept)
end
if #dropped > 0 then redis.call('HINCRBY', KEYS[3], 'rows_dup', #dropped) end
return {'ok', entry, d}
