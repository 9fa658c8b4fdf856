#!lua flags=no-writes,no-cluster
-- An aggregate with what a step reads besides it. ARGV: name, rings, keeps. Reply: v, fmt, state, now, hold, fails, rings, keeps.
--@include _common.lua
local agg = call('HMGET', K .. ARGV[1], 'v', 'fmt', 's')
local ctl = call('HMGET', CTL, 'offset', 'last', 'hold', 'hold_why')
local now = now_of(ctl[1], ctl[2])
local names, since, fails = {}, {}, call('HGETALL', K .. 'fails')
for i = 1, #fails, 2 do
	if (tonumber(fails[i + 1]) or 0) > now - 3600000 then
		names[#names + 1] = fails[i]
		since[fails[i]] = fails[i + 1]
	end
end
table.sort(names)
for i = 1, #names do names[i] = J(names[i]) .. ':' .. since[names[i]] end
local out = { tonumber(agg[1]) or 0, tonumber(agg[2]) or 0, agg[3], I(now),
	ctl[3] == '1' and (ctl[4] or 'on hold'), '{' .. table.concat(names, ',') .. '}' }
local n = tonumber(ARGV[2])
for i = 1, n do out[6 + i] = call('GETRANGE', K .. 'ring:' .. ARGV[2 + i], -16000, -1) end
for i = 1, tonumber(ARGV[3 + n]) do
	local key = K .. ARGV[3 + n + i]
	local kind = call('TYPE', key).ok
	if kind == 'string' then
		out[6 + n + i] = call('GET', key)
	elseif kind == 'hash' then -- another aggregate
		out[6 + n + i] = call('HGET', key, 's')
	elseif kind == 'list' then
		out[6 + n + i] = '[' .. table.concat(call('LRANGE', key, 0, -1), ',') .. ']'
	else
		out[6 + n + i] = false
	end
end
return out
