-- Pieces that intake and commit share. Each list in ARGV begins with its length; a check walks a list without writing and raises
-- what a later write would raise (wrong types), so that nothing fails after the first write.
local function check_keeps(at)
	for i = 1, tonumber(ARGV[at]) do
		local p = at + 1 + (i - 1) * 5
		if ARGV[p + 3] == '1' then call('LLEN', K .. ARGV[p]) end
	end
	return at + 1 + tonumber(ARGV[at]) * 5
end
local function write_keeps(at)
	for i = 1, tonumber(ARGV[at]) do
		local p = at + 1 + (i - 1) * 5
		local key, value, ttl, cap = K .. ARGV[p], ARGV[p + 1], tonumber(ARGV[p + 2]), tonumber(ARGV[p + 4])
		if ARGV[p + 3] == '1' then
			call('LPUSH', key, value)
			if cap > 0 then call('LTRIM', key, 0, cap - 1) end
			if ttl > 0 then call('PEXPIRE', key, I(ttl)) end
		elseif ttl > 0 then
			call('SET', key, value, 'PX', I(ttl), 'NX')
		else
			call('SET', key, value, 'NX')
		end
	end
	return at + 1 + tonumber(ARGV[at]) * 5
end
local function write_tells(at)
	for i = 1, tonumber(ARGV[at]) do
		call('XADD', WORK, '*', 'a', ARGV[at + 2 * i - 1], 'm', ARGV[at + 2 * i])
	end
	return at + 1 + tonumber(ARGV[at]) * 2
end
-- json '': nothing to note. max: entries that are about 256 MiB, as the caller's mean size says.
local function journal(json, max)
	if json ~= '' then call('XADD', K .. 'journal', 'MAXLEN', '~', max, '*', 'j', json) end
end
-- An entry of `in` is done: its body kept aside goes, and the count of bytes falls by the mean (exact again at 0 entries).
local function in_done(id, len, bytes, keep_body)
	bytes = tonumber(bytes or 0) or 0
	call('HSET', CTL, 'in_bytes', I(len > 1 and math.floor(bytes * (len - 1) / len) or 0))
	if not keep_body then call('UNLINK', K .. 'body:' .. id) end
end
