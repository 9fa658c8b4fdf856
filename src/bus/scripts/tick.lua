#!lua flags=allow-oom,no-cluster
-- Housekeeping: the clock, rewinds, presence, timers that are due, gauges. ARGV: consumer ('' none), now as this process expects it
-- by its own boot-time clock (0: no idea), lineage and counter it remembers ('' 0), a fresh lineage, moves at most.
-- Reply: now, next due, moved, in, work, dead, oldest in, held, rewound, lineage, counter, entries left by the silent, how many fell
-- silent in the last ten minutes (with our own name there before we ever were: our former life too), 1 if Redis was
-- started anew on an append-only file.
--@include _common.lua
local me, expected, max = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[6])
local ctl = call('HMGET', CTL, 'offset', 'last', 'hold', 'run_id', 'lineage', 'lineage_was', 'counter', 'seen_from')
local info = call('INFO', 'server', 'memory')
local pending = { call('XPENDING', WORK, 'w')[4] or {}, call('XPENDING', IN, 'w')[4] or {} }
local len = { call('XLEN', IN), call('XLEN', WORK), call('XLEN', K .. 'dead') }
local workers = call('HGETALL', K .. 'workers')
call('ZCARD', K .. 'timers')

-- The clock: never back, and never further forward than this process knows to have passed.
local offset, last = tonumber(ctl[1]) or 0, tonumber(ctl[2]) or 0
local at = raw() + offset
local now = at
if now < last then now = math.max(last, expected) end
if expected > 0 and now > expected + 5000 then now = math.max(last, expected) end
offset = offset + now - at

-- Are these the data we know?
local lineage, counter, rewound, anew = ctl[5], tonumber(ctl[7]) or 0, 0, 0
local run_id = info:match('run_id:(%x+)')
local why
if ARGV[3] ~= '' and ARGV[3] ~= ctl[6] and (ARGV[3] ~= lineage or counter < tonumber(ARGV[4])) then
	why = 'Redis lost what it had stored (restored, failed over or flushed); check what runs, then release'
elseif ctl[4] and ctl[4] ~= run_id and call('INFO', 'replication'):find('master_replid2:%x*[^0%s]') then
	-- It was a replica before: what the old master took last may be missing, and too little of it for the counter to show.
	why = 'Redis failed over, and what the old one took last may be lost; check what runs, then release'
end
if why then
	rewound = 1
	call('HSET', CTL, 'lineage_was', ARGV[3] ~= '' and ARGV[3] or lineage or '', 'hold', '1', 'hold_by', 'shipwatch', 'hold_at', I(now), 'hold_why', why)
	ctl[3] = '1'
	lineage = false
end
if not lineage then
	lineage = ARGV[5]
	call('HSET', CTL, 'lineage', lineage)
end
counter = counter + 1
if run_id ~= ctl[4] then
	call('HSET', CTL, 'run_id', run_id)
	if ctl[4] then
		anew = call('INFO', 'persistence'):find('aof_enabled:1', 1, true) and 1 or 0
		call('HSET', CTL, 'back_at', I(now))
	end
end
local memory = tonumber(info:match('\nmaxmemory:(%d+)')) or 0
call('HSET', CTL, 'offset', I(offset), 'last', I(now), 'counter', I(counter),
	'full', memory > 0 and tonumber(info:match('used_memory:(%d+)')) > memory / 2 and '1' or '0')

-- Who is there; entries of those who went silent; consumers silent for an hour go, never with entries pending.
if me ~= '' then call('HSET', K .. 'workers', me, I(now)) end
local seen, busy, left, gone = {}, {}, 0, 0
for i = 1, #workers, 2 do seen[workers[i]] = tonumber(workers[i + 1]) or 0 end
if seen[me] and expected == 0 then gone = 1 end
if me ~= '' then seen[me] = now end
for _, list in ipairs(pending) do
	for _, c in ipairs(list) do
		busy[c[1]] = true
		if (seen[c[1]] or 0) < now - 5000 then left = left + tonumber(c[2]) end
	end
end
for name, t in pairs(seen) do
	if t < now - 5000 and t > now - 600000 then gone = gone + 1 end
	if t < now - 3600000 and not busy[name] then
		call('XGROUP', 'DELCONSUMER', WORK, 'w', name)
		call('XGROUP', 'DELCONSUMER', IN, 'w', name)
		call('HDEL', K .. 'workers', name)
	end
end

-- At most four million digests: the window shortens.
local cur = math.floor(now / 21600000)
local from, total = math.max(tonumber(ctl[8]) or cur, cur - 12), 0
for b = cur, from, -1 do
	total = total + call('SCARD', K .. 'seen:' .. I(b))
	if total > 4000000 and b < cur then
		for old = b, from, -1 do call('UNLINK', K .. 'seen:' .. I(old)) end
		from = b + 1
		break
	end
end
if ctl[8] and tonumber(ctl[8]) ~= from then call('HSET', CTL, 'seen_from', I(from)) end

-- Timers that are due.
local due = call('ZRANGEBYSCORE', K .. 'timers', '-inf', I(now), 'WITHSCORES', 'LIMIT', 0, max)
for i = 1, #due, 2 do
	local agg, name = due[i]:match('^(.*)|(.*)$')
	call('XADD', WORK, '*', 'a', agg or due[i], 'm', '{"t":"timer","name":' .. J(name or '') .. ',"due":' .. I(tonumber(due[i + 1])) .. '}')
	call('ZREM', K .. 'timers', due[i])
end
local nxt = call('ZRANGE', K .. 'timers', 0, 0, 'WITHSCORES')
local oldest = call('XRANGE', IN, '-', '+', 'COUNT', 1)[1]
return { I(now), nxt[2] and I(tonumber(nxt[2])) or '0', #due / 2, len[1], len[2] + #due / 2, len[3],
	oldest and I(tonumber(oldest[1]:match('^%d+')) + offset) or '0', ctl[3] == '1' and 1 or 0, rewound, lineage, I(counter), left, gone, anew }
