#!lua flags=no-cluster
-- Entries come in, each once. ARGV: gateway ('' unless its spool is drained), offset of the spool after these entries, cap of bytes,
-- count, then ten fields an entry: id, source, kind, meta, digest of the delivery, digest of the id, window, arrival, length inflated,
-- body. No allow-oom: at maxmemory this one is refused.
-- Reply: for each entry its stream id, 'D' (duplicate) or 'F' (full). Draining is all or nothing: {'F'} or {'D'} alone.
--@include _common.lua
local H6, WINDOW = 21600000, 259200000
local gateway, offset, cap, n = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local drain = gateway ~= ''
local spool = K .. 'spool:' .. gateway
local ctl = call('HMGET', CTL, 'offset', 'last', 'in_bytes', 'full', 'seen_from')
local now = now_of(ctl[1], ctl[2])
local bytes, full = tonumber(ctl[3]) or 0, ctl[4] == '1'
local cur = math.floor(now / H6)
local first = tonumber(ctl[5]) or cur
call('XLEN', IN)
if drain then
	local at = call('GET', spool)
	if at and tonumber(at) >= tonumber(offset) then return { 'D' } end
end

-- Which are there already? Long windows: the delivery's digest in the sets of 6 hours. Short ones: a key of its own with the time
-- of arrival, and the entry's own id in the sets, as an entry may come a second time by way of a spool after its key is gone.
local sets, low, once, once_of, dup = {}, {}, {}, {}, {}
local lowest = cur
for i = 1, n do
	local p = 5 + (i - 1) * 10
	local w = math.min(tonumber(ARGV[p + 6]), WINDOW)
	if w >= H6 then
		sets[i], low[i] = ARGV[p + 4], math.floor((now - w) / H6)
	else
		sets[i], low[i] = ARGV[p + 5], math.floor((now - WINDOW) / H6)
		if w > 0 then
			once[#once + 1] = K .. 'once:' .. ARGV[p + 4]
			once_of[#once] = i
		end
	end
	lowest = math.min(lowest, low[i])
end
for b = math.max(lowest, first), cur do
	local hit = call('SMISMEMBER', K .. 'seen:' .. I(b), unpack(sets))
	for i = 1, n do
		if hit[i] == 1 and b >= low[i] then dup[i] = true end
	end
end
local at = {} -- of short ones: when the one before arrived
if #once > 0 then
	local times = call('MGET', unpack(once))
	for k = 1, #once do at[once_of[k]] = tonumber(times[k] or nil) end
end
local here, out, add = {}, {}, 0
for i = 1, n do
	local p = 5 + (i - 1) * 10
	local d, own, w = ARGV[p + 4], 'i' .. ARGV[p + 5], tonumber(ARGV[p + 6])
	local arrived = tonumber(ARGV[p + 7])
	if w >= H6 then
		d, own = 'l' .. d, nil
	else
		d = 's' .. d
	end
	local before = here[d] or at[i]
	if before and (w >= H6 or math.abs(arrived - before) < w) or own and here[own] then dup[i] = true end
	if dup[i] then
		out[i] = 'D'
	else
		local size = #ARGV[p + 3] + #ARGV[p + 9] + 128
		if full or bytes + add + size > cap then
			if drain then return { 'F' } end
			out[i] = 'F'
		else
			if w > 0 then here[d] = arrived end
			if own then here[own] = true end
			add = add + size
		end
	end
end

-- From here on only writes.
local new = {}
for i = 1, n do
	if not out[i] then
		local p = 5 + (i - 1) * 10
		local body, w = ARGV[p + 9], tonumber(ARGV[p + 6])
		if #body > 65536 then
			out[i] = call('XADD', IN, '*', 'i', ARGV[p], 's', ARGV[p + 1], 'k', ARGV[p + 2], 'm', ARGV[p + 3], 'a', ARGV[p + 7],
				'n', ARGV[p + 8])
			call('SET', K .. 'body:' .. out[i], body)
		else
			out[i] = call('XADD', IN, '*', 'i', ARGV[p], 's', ARGV[p + 1], 'k', ARGV[p + 2], 'm', ARGV[p + 3], 'a', ARGV[p + 7],
				'n', ARGV[p + 8], 'b', body)
		end
		new[#new + 1] = sets[i]
		if w > 0 and w < H6 then call('SET', K .. 'once:' .. ARGV[p + 4], ARGV[p + 7], 'PX', I(w)) end
	end
end
if #new > 0 then
	local key = K .. 'seen:' .. I(cur)
	call('SADD', key, unpack(new))
	call('PEXPIRE', key, I(WINDOW + 2 * H6))
	if ctl[5] then
		call('HSET', CTL, 'in_bytes', I(bytes + add))
	else
		call('HSET', CTL, 'in_bytes', I(bytes + add), 'seen_from', I(cur))
	end
end
if drain then call('SET', spool, offset) end
return out
