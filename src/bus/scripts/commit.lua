#!lua flags=allow-oom,no-cluster
-- One step of one aggregate: what must still be so, the guards, then all writes. Reply: code, version, now, reason, wait, calls of the month.
-- ARGV: 1 aggregate, 2 version, 3 k(eep) s(et) d(elete), 4 state, 5 ttl, 6 fmt, 7 journal, 8 its length, 9 service fails, 10 fails no
-- more, 11 hash of rules, 12 rules, 13 action, 14 its place, 15 credential paced, 16 count, 17 per, 18 most in a minute (0: no matter),
-- 19 month in which it is counted (0: it is not), 20 credential to hold, 21 until, 22 dead reason, 23 dead body, 24 acks, then timers,
-- tells, rings, keeps; each list begins with its length.
--@include _common.lua
--@include _parts.lua
local OK, CONFLICT, GONE, REFUSED = 0, 1, 2, 3
local key, v, mode, action = K .. ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[13]
local n_acks = tonumber(ARGV[24])
local ctl = call('HMGET', CTL, 'offset', 'last', 'hold', 'run_id', 'back_at')
local now = now_of(ctl[1], ctl[2])
local function answer(code, reason, wait) return { code, v, I(now), reason or '', wait or 0, 0 } end

call('XLEN', WORK)
for i = 1, n_acks do
	local id = ARGV[24 + i]
	if #call('XPENDING', WORK, 'w', id, id, 1) == 0 then return answer(GONE, id) end
end
local have = call('HMGET', key, 'v', 'fmt')
if (tonumber(have[2]) or 0) > tonumber(ARGV[6]) then return answer(REFUSED, 'fmt') end
if (tonumber(have[1]) or 0) ~= v then
	v = tonumber(have[1]) or 0
	return answer(CONFLICT)
end
local timers = 25 + n_acks
local tells = timers + 1 + 2 * tonumber(ARGV[timers])
local rings = tells + 1 + 2 * tonumber(ARGV[tells])
local keeps = rings + 1 + 2 * tonumber(ARGV[rings])
local n_timers = ARGV[timers] ~= '0' and call('ZCARD', K .. 'timers')
for i = 1, tonumber(ARGV[timers]) do
	if n_timers >= 200000 and ARGV[timers + 2 * i] ~= '0' then return answer(REFUSED, 'timers', 60000) end
end
for i = 1, tonumber(ARGV[rings]) do call('STRLEN', K .. 'ring:' .. ARGV[rings + 2 * i - 1]) end
check_keeps(keeps)
if ARGV[7] ~= '' then call('XLEN', K .. 'journal') end
if ARGV[9] ~= '' or ARGV[10] ~= '' then call('HLEN', K .. 'fails') end
if ARGV[22] ~= '' then call('XLEN', K .. 'dead') end
local trying = n_acks > 0 and call('HLEN', K .. 'trying') > 0
local held = ARGV[20] ~= '' and call('HGET', K .. 'chan:' .. ARGV[20], 'hold_until')

if action ~= '' then
	local server = call('INFO', 'server')
	local begun = call('ZCOUNT', K .. 'acts', '(' .. I(now - 600000), '+inf')
	if call('ZSCORE', K .. 'acts', action) then return answer(REFUSED, 'started') end
	local service = ARGV[14]:match('^[^/]*')
	if ctl[3] == '1' or call('HEXISTS', CTL, 'hold:' .. ARGV[14]) == 1 or call('HEXISTS', CTL, 'hold:' .. service) == 1 then
		return answer(REFUSED, 'hold')
	end
	local oldest = call('XRANGE', IN, '-', '+', 'COUNT', 1)[1]
	if oldest and raw() - tonumber(oldest[1]:match('^%d+')) > 2000 then return answer(REFUSED, 'backlog', 2000) end
	local gateways = call('HGETALL', K .. 'gateways')
	for i = 2, #gateways, 2 do
		local at, bytes = gateways[i]:match('^(%d+) (%d+)$')
		if at and tonumber(at) > now - 30000 and tonumber(bytes) > 0 then return answer(REFUSED, 'spool', 2000) end
	end
	if ctl[4] and ctl[4] ~= server:match('run_id:(%x+)') then return answer(REFUSED, 'redis-back', 10000) end
	local back = tonumber(ctl[5]) or 0
	if now - back < 10000 then return answer(REFUSED, 'redis-back', 10000 - (now - back)) end
	if begun >= 3 then
		call('HSET', CTL, 'hold', '1', 'hold_by', 'shipwatch', 'hold_at', I(now),
			'hold_why', '3 actions began within 10 minutes; this one would have been the fourth')
		return answer(REFUSED, 'cap')
	end
end
local sent, chan, calls = {}, K .. 'chan:' .. ARGV[15], 0
if ARGV[15] ~= '' then
	local c = call('HMGET', chan, 'hold_until', 'sent', 'month', 'calls')
	local till, per, wait = tonumber(c[1]) or 0, tonumber(ARGV[17]), 0
	if till > now then return answer(REFUSED, 'held', till - now) end
	for t in (c[2] or ''):gmatch('%d+') do
		if tonumber(t) > now - math.max(per, 60000) then sent[#sent + 1] = t end
	end
	local function room(count, within) -- so many of the newest lie within that time: until the first of them does not
		if count > 0 and #sent >= count then wait = math.max(wait, tonumber(sent[#sent - count + 1]) + within - now) end
	end
	room(tonumber(ARGV[16]), per)
	room(tonumber(ARGV[18]), 60000)
	if wait > 0 then return answer(REFUSED, 'paced', wait) end
	if c[3] == ARGV[19] then calls = tonumber(c[4]) or 0 end
end
-- A credential is remembered at least so long.
local function lasting(key, ms)
	if call('PTTL', key) < ms then call('PEXPIRE', key, I(ms)) end
end

-- From here on only writes.
if mode == 's' then
	v = v + 1
	call('HSET', key, 'fmt', ARGV[6], 'v', I(v), 's', ARGV[4])
	if ARGV[5] ~= '0' then call('PEXPIRE', key, ARGV[5]) elseif v > 1 then call('PERSIST', key) end
elseif mode == 'd' then
	call('DEL', key)
	v = 0
end
for i = 1, tonumber(ARGV[timers]) do
	local member, due = ARGV[1] .. '|' .. ARGV[timers + 2 * i - 1], ARGV[timers + 2 * i]
	if due == '0' then call('ZREM', K .. 'timers', member) else call('ZADD', K .. 'timers', due, member) end
end
write_tells(tells)
for i = 1, tonumber(ARGV[rings]) do
	local ring = K .. 'ring:' .. ARGV[rings + 2 * i - 1]
	if call('APPEND', ring, ARGV[rings + 2 * i]) > 20000 then call('SET', ring, call('GETRANGE', ring, -16000, -1)) end
	call('PEXPIRE', ring, '604800000')
end
write_keeps({ keeps })
journal(ARGV[7], ARGV[8])
if ARGV[9] ~= '' then call('HSETNX', K .. 'fails', ARGV[9], I(now)) end
if ARGV[10] ~= '' then call('HDEL', K .. 'fails', ARGV[10]) end
if ARGV[11] ~= '' then call('SET', K .. 'rules:' .. ARGV[11], ARGV[12], 'NX') end
if action ~= '' then
	call('ZADD', K .. 'acts', I(now), action)
	call('ZREMRANGEBYSCORE', K .. 'acts', '-inf', I(now - 7776000000))
end
if ARGV[15] ~= '' then
	sent[#sent + 1] = I(now)
	call('HSET', chan, 'sent', table.concat(sent, ' ', math.max(1, #sent - 999)))
	lasting(chan, math.max(86400000, tonumber(ARGV[17])))
	if ARGV[19] ~= '0' then
		calls = calls + 1
		call('HSET', chan, 'month', ARGV[19], 'calls', I(calls))
		lasting(chan, 2764800000)
	end
end
if ARGV[20] ~= '' then
	local hold = K .. 'chan:' .. ARGV[20]
	if tonumber(held or 0) < tonumber(ARGV[21]) then call('HSET', hold, 'hold_until', ARGV[21]) end
	lasting(hold, math.max(86400000, tonumber(ARGV[21]) - now))
end
if ARGV[22] ~= '' then
	call('XADD', K .. 'dead', 'MAXLEN', 10000, '*', 'k', 'alert', 'r', ARGV[22], 't', I(now), 'a', ARGV[1], 'm', ARGV[23])
end
if n_acks > 0 then
	local ids = { unpack(ARGV, 25, 24 + n_acks) }
	call('XACK', WORK, 'w', unpack(ids))
	call('XDEL', WORK, unpack(ids))
	for i = 1, trying and n_acks or 0 do call('HDEL', K .. 'trying', 'w:' .. ids[i]) end
end
return { OK, v, I(now), '', 0, calls }
