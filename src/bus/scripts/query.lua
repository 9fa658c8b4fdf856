#!lua flags=no-writes,no-cluster
-- What an operator asks. ARGV: status [id of the journal] | list from count | aggregate name. Reply: JSON text, or nil for an unknown name.
--@include _common.lua
local ctl_at = call('HMGET', CTL, 'offset', 'last')
local offset = tonumber(ctl_at[1]) or 0
local now = now_of(ctl_at[1], ctl_at[2])
local function pairs_json(key, value)
	local all, out = call('HGETALL', K .. key), {}
	local names, by = {}, {}
	for i = 1, #all, 2 do
		names[#names + 1] = all[i]
		by[all[i]] = all[i + 1]
	end
	table.sort(names)
	for _, name in ipairs(names) do
		local text = value(name, by[name])
		if text then out[#out + 1] = text end
	end
	return out
end
local function oldest(key, from)
	local e = call('XRANGE', key, from or '-', '+', 'COUNT', 1)[1]
	return e and I(now - tonumber(e[1]:match('^%d+')) - offset) or '0'
end
if ARGV[1] == 'status' then
	local ctl = {}
	local holds = pairs_json('ctl', function(name, value)
		ctl[name] = value
		local scope = name:match('^hold:(.*)$')
		return scope and J(scope) .. ':' .. value
	end)
	local workers = pairs_json('workers', function(name, at) return J(name) .. ':' .. I(now - (tonumber(at) or 0)) end)
	local gateways = pairs_json('gateways', function(name, value)
		local at, bytes = value:match('^(%d+) (%d+)$')
		return J(name) .. ':{"silent_ms":' .. I(now - (tonumber(at) or 0)) .. ',"spool_bytes":' .. (bytes or '0') .. '}'
	end)
	local fails = pairs_json('fails', function(name, at) return J(name) .. ':' .. at end)
	local hold = 'null'
	if ctl.hold == '1' then
		hold = '{"by":' .. J(ctl.hold_by or '') .. ',"why":' .. J(ctl.hold_why or '') .. ',"at":' .. (ctl.hold_at or '0') .. '}'
	end
	local behind = ARGV[2] and ARGV[2]:match('^%d+%-%d+$')
	return '{"now":' .. I(now) .. ',"in":' .. call('XLEN', IN) .. ',"in_oldest_ms":' .. oldest(IN) ..
		',"in_bytes":' .. (ctl.in_bytes or '0') .. ',"work":' .. call('XLEN', WORK) .. ',"work_oldest_ms":' .. oldest(WORK) ..
		',"timers":' .. call('ZCARD', K .. 'timers') .. ',"dead":' .. call('XLEN', K .. 'dead') ..
		',"journal":' .. call('XLEN', K .. 'journal') ..
		(behind and ',"journal_waits_ms":' .. oldest(K .. 'journal', '(' .. behind) or '') .. ',"hold":' .. hold .. ',"holds":{' .. table.concat(holds, ',') ..
		'},"workers":{' .. table.concat(workers, ',') .. '},"gateways":{' .. table.concat(gateways, ',') ..
		'},"fails":{' .. table.concat(fails, ',') .. '},"lineage":' .. J(ctl.lineage or '') ..
		',"counter":' .. (ctl.counter or '0') .. ',"clock_offset_ms":' .. I(offset) ..
		',"back_at":' .. (ctl.back_at or '0') .. ',"dedupe_from":' .. I((tonumber(ctl.seen_from) or 0) * 21600000) .. '}'
elseif ARGV[1] == 'list' then
	local from = ARGV[2]
	if from:match('^%d+%-?%d*$') and from ~= '0' then from = '(' .. from else from = '+' end
	local out = {}
	for _, e in ipairs(call('XREVRANGE', K .. 'dead', from, '-', 'COUNT', ARGV[3])) do
		local f = {}
		for i = 1, #e[2], 2 do f[e[2][i]] = e[2][i + 1] end
		out[#out + 1] = '{"id":' .. J(e[1]) .. ',"kind":' .. J(f.k or '') .. ',"reason":' .. J(f.r or '') .. ',"at":' .. (f.t or '0') ..
			',"aggregate":' .. J(f.a and f.k ~= 'in' and f.a or '') .. ',"source":' .. J(f.s or '') .. '}'
	end
	return '[' .. table.concat(out, ',') .. ']'
end
local agg = call('HMGET', K .. ARGV[2], 'v', 'fmt', 's')
return agg[1] and '{"v":' .. agg[1] .. ',"fmt":' .. (agg[2] or '0') .. ',"state":' .. (agg[3] or 'null') .. '}'
