-- Pieces that intake and commit share. Each list in ARGV begins with its length; a check walks a list without writing and raises
-- what a later write would raise (wrong types), so that nothing fails after the first write.
local checked = {}
local function check_keeps(at)
	for i = 1, tonumber(ARGV[at]) do
		local p = at + 1 + (i - 1) * 5
		if ARGV[p + 3] == '1' and not checked[ARGV[p]] then
			checked[ARGV[p]] = call('LLEN', K .. ARGV[p])
		end
	end
	return at + 1 + tonumber(ARGV[at]) * 5
end
-- lists: where in ARGV they begin. What is pushed on one key is pushed by one call.
local function write_keeps(lists)
	local order, push = {}, {}
	for _, at in ipairs(lists) do
		for i = 1, tonumber(ARGV[at]) do
			local p = at + 1 + (i - 1) * 5
			local key, value, ttl = K .. ARGV[p], ARGV[p + 1], tonumber(ARGV[p + 2])
			if ARGV[p + 3] == '1' then
				if not push[key] then
					push[key] = {}
					order[#order + 1] = key
				end
				local l = push[key]
				l[#l + 1] = value
				l.ttl, l.cap = ttl, tonumber(ARGV[p + 4])
			elseif ttl > 0 then
				call('SET', key, value, 'PX', I(ttl), 'NX')
			else
				call('SET', key, value, 'NX')
			end
		end
	end
	for _, key in ipairs(order) do
		local l = push[key]
		local len = call('LPUSH', key, unpack(l))
		if l.cap > 0 and len > l.cap then call('LTRIM', key, 0, l.cap - 1) end
		if l.ttl > 0 then call('PEXPIRE', key, I(l.ttl)) end
	end
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
-- n entries of `in` are done: the count of bytes falls by so many times the mean (exact again at 0 entries).
local function in_done(n, len, bytes)
	bytes = tonumber(bytes or 0) or 0
	call('HSET', CTL, 'in_bytes', I(len > n and math.floor(bytes * (len - n) / len) or 0))
end
