#!lua
-- Takes entries of one shard, all or none. Without allow-oom: at maxmemory, on a replica or without replicas
-- the whole script is refused, so nothing is half-stored.
-- An entry holds the rows of one or several requests of one project, sender and minute; without rows it
-- carries notes for the ledger only. No request occurs twice in a call.
-- KEYS  1 ev  2 st  3 pend  4.. a request key for each part of a request that has one
-- ARGV  1 most entries  2 seconds a request key lives  3 now ms  4 window ms (0: off)  5 prefix of seen keys
--       6 whether replicas are waited for  7 lowest version of tombstones by which a part was judged
--       8 number of entries; then for each entry:
--       rows, packed rows, unpacked bytes, earliest received_at, source, field of pend, notes, client
--       sequences ('' and '' for none), number of its request keys, and with a window for each row:
--       bucket, id ('' and '' when the id was given at capture)
local keys = #KEYS - 3
if keys > 0 then
  local known = redis.call('MGET', unpack(KEYS, 4))
  local replayed = {}
  for i = 1, keys do
    if known[i] then replayed[#replayed + 1] = i end
  end
  if #replayed > 0 then
    -- What is waited for is what this connection wrote last, and the first sending may have gone through another.
    if ARGV[6] == '1' then
      for _, i in ipairs(replayed) do redis.call('EXPIRE', KEYS[3 + i], ARGV[2]) end
    end
    return {'replayed', table.concat(replayed, ',')}
  end
end
-- What was erased since must not slip through: the endpoint loads the tombstones and judges these rows again.
local tombstones = redis.call('HGET', KEYS[2], 'tombstones') or '0'
if tonumber(tombstones) > tonumber(ARGV[7]) then return {'behind', tombstones} end
if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[1]) then return {'full'} end

local window = tonumber(ARGV[4])
-- People share buckets, each a set of ids that are hashed with their person. A set stays an intset (8 bytes an
-- id) up to 512 members. A bucket's first 300 to 499 ids of a generation share one set; more go to 100 sets by
-- the id's last two digits, then 10,000 by four.
local SPILL, SPLIT = 300, 500
local gen, now, before, ttl, spilled, old_spilled
if window > 0 then
  -- The generation never goes back, so endpoints whose clocks differ agree on it.
  gen = math.floor(tonumber(ARGV[3]) / window)
  local state = redis.call('HMGET', KEYS[2], 'seen_gen', 'seen_spilled')
  local stored = tonumber(state[1] or '-1')
  if stored > gen then gen = stored elseif stored < gen then redis.call('HSET', KEYS[2], 'seen_gen', string.format('%d', gen)) end
  local last = tonumber(state[2] or '-1')
  spilled, old_spilled = last == gen, last >= gen - 1
  now = ARGV[5] .. string.format('%d', gen) .. ':'
  before = ARGV[5] .. string.format('%d', gen - 1) .. ':'
  ttl = math.ceil(2 * window / 1000) + 60
end

local function level(key, id, n)
  return key .. ':' .. string.sub(id, -n)
end
local function in_levels(key, id)
  local first = level(key, id, 2)
  if redis.call('SISMEMBER', first, id) == 1 then return true end
  return redis.call('SCARD', first) >= SPLIT and redis.call('SISMEMBER', level(key, id, 4), id) == 1
end
-- Marks an id in the sets that a full bucket spills into; whether it is new there.
local function spill(here, id)
  local key = level(here, id, 2)
  local size = redis.call('SCARD', key)
  if size >= SPLIT then
    if redis.call('SISMEMBER', key, id) == 1 then return false end
    key = level(here, id, 4)
    size = redis.call('SCARD', key)
  end
  local added = redis.call('SADD', key, id)
  if size == 0 then redis.call('EXPIRE', key, ttl) end
  if not spilled then redis.call('HSET', KEYS[2], 'seen_spilled', string.format('%d', gen)) end
  spilled = true
  return added == 1
end

-- Whether the only id of a bucket in this entry was there before; it is marked. Most are alone.
local function seen_one(here, old, id)
  local size = redis.call('SCARD', here)
  if size < SPILL then
    if redis.call('SADD', here, id) == 0 then return true end
    if size == 0 then redis.call('EXPIRE', here, ttl) end
  elseif redis.call('SISMEMBER', here, id) == 1 or not spill(here, id) then
    return true
  end
  return redis.call('SISMEMBER', old, id) == 1 or (old_spilled and in_levels(old, id))
end

-- Marks a bucket's ids and adds the numbers of the rows whose ids were there before to `dropped`.
local function seen_many(here, old, p, dropped)
  local size = redis.call('SCARD', here)
  local in_here = redis.call('SMISMEMBER', here, unpack(p.ids))
  local in_old = redis.call('SMISMEMBER', old, unpack(p.ids))
  local fresh, twice = {}, {}
  for i, id in ipairs(p.ids) do
    if in_here[i] == 1 or in_old[i] == 1 or twice[id]
      or (size >= SPILL and in_levels(here, id)) or (old_spilled and in_levels(old, id)) then
      dropped[#dropped + 1] = p.rows[i]
    else
      twice[id] = true
      fresh[#fresh + 1] = id
    end
  end
  if #fresh == 0 then return end
  if size < SPILL then
    redis.call('SADD', here, unpack(fresh))
    if size == 0 then redis.call('EXPIRE', here, ttl) end
  else
    for _, id in ipairs(fresh) do spill(here, id) end
  end
end

-- Numbers of the rows, from 0, whose ids the window knows; `at` is the first row's place among ARGV.
local function seen(at, rows)
  local dropped, buckets, order = {}, {}, {}
  for row = 0, rows - 1 do
    local bucket, id = ARGV[at + 2 * row], ARGV[at + 1 + 2 * row]
    if bucket ~= '' then
      local p = buckets[bucket]
      if not p then
        p = {rows = {}, ids = {}}
        buckets[bucket] = p
        order[#order + 1] = bucket
      end
      p.rows[#p.rows + 1] = row
      p.ids[#p.ids + 1] = id
    end
  end
  for _, bucket in ipairs(order) do
    local p, here, old = buckets[bucket], now .. bucket, before .. bucket
    if #p.ids > 1 then
      seen_many(here, old, p, dropped)
    elseif seen_one(here, old, p.ids[1]) then
      dropped[#dropped + 1] = p.rows[1]
    end
  end
  table.sort(dropped)
  return dropped
end

local answer, rows_in, rows_dup = {'ok'}, 0, 0
local at, key = 9, 4
for _ = 1, tonumber(ARGV[8]) do
  local rows = tonumber(ARGV[at])
  local dropped = {}
  if window > 0 then dropped = seen(at + 9, rows) end
  -- The decision is stored with the entry, so every re-run of the batch decides the same. Also when every row
  -- is a duplicate: the entry is what the request key points to.
  local d = table.concat(dropped, ',')
  local fields = {'n', ARGV[at], 'p', ARGV[at + 1], 'd', d, 'b', ARGV[at + 2], 't', ARGV[at + 3], 's', ARGV[at + 4]}
  if ARGV[at + 6] ~= '' then fields[#fields + 1] = 'l'; fields[#fields + 1] = ARGV[at + 6] end
  if ARGV[at + 7] ~= '' then fields[#fields + 1] = 'q'; fields[#fields + 1] = ARGV[at + 7] end
  local entry = redis.call('XADD', KEYS[1], '*', unpack(fields))
  for _ = 1, tonumber(ARGV[at + 8]) do
    redis.call('SET', KEYS[key], entry, 'EX', ARGV[2])
    key = key + 1
  end
  local kept = rows - #dropped
  if kept > 0 then redis.call('HINCRBY', KEYS[3], ARGV[at + 5], kept) end
  rows_in, rows_dup = rows_in + kept, rows_dup + #dropped
  answer[#answer + 1] = d
  at = at + 9
  if window > 0 then at = at + 2 * rows end
end
if rows_in > 0 then redis.call('HINCRBY', KEYS[2], 'rows_in', rows_in) end
if rows_dup > 0 then redis.call('HINCRBY', KEYS[2], 'rows_dup', rows_dup) end
return answer
