#!lua flags=allow-oom,no-cluster
-- Raw entries are done, many at once. ARGV: count, journal's length, then for each: id, journal, facts, keeps.
-- Reply: for each entry 0, or 1 when it was done before (then nothing is written for it).
--@include _common.lua
--@include _parts.lua
local n, max = tonumber(ARGV[1]), ARGV[2]
local len = call('XLEN', IN)
call('XPENDING', IN, 'w') -- the group is there, so that "not pending" below means "done"
call('XLEN', WORK)
call('XLEN', K .. 'journal')
local trying = call('HLEN', K .. 'trying') > 0
local bytes = call('HGET', CTL, 'in_bytes')
local at, nxt = {}, 3
for i = 1, n do
	at[i] = nxt
	nxt = check_keeps(nxt + 3 + 2 * tonumber(ARGV[nxt + 2]))
end

-- From here on only writes: acknowledging tells whether it is still to be done.
local out, ids, bodies, keeps = {}, {}, {}, {}
for i = 1, n do
	local p = at[i]
	local id = ARGV[p]
	if call('XACK', IN, 'w', id) == 0 then
		out[i] = 1
	else
		out[i] = 0
		ids[#ids + 1] = id
		bodies[#bodies + 1] = K .. 'body:' .. id
		keeps[#keeps + 1] = write_tells(p + 2)
		journal(ARGV[p + 1], max)
		if trying then call('HDEL', K .. 'trying', 'i:' .. id) end
	end
end
write_keeps(keeps)
if #ids > 0 then
	call('XDEL', IN, unpack(ids))
	call('UNLINK', unpack(bodies))
	in_done(#ids, len, bytes)
end
return out
