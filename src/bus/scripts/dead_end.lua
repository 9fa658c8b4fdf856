#!lua flags=allow-oom,no-cluster
-- A dead letter is sent again or dropped. ARGV: id, 1 (again) or 0, who, via ('' not known). Reply: 0, 1: there is none, 2: it cannot be sent again.
--@include _common.lua
--@include _parts.lua
local id, again = ARGV[1], ARGV[2] == '1'
local letter = call('XRANGE', K .. 'dead', id, id)[1]
if not letter then return 1 end
local f, entry = {}, {}
for i = 1, #letter[2], 2 do
	local name, value = letter[2][i], letter[2][i + 1]
	f[name] = value
	if name == 'kind' then
		entry[#entry + 1], entry[#entry + 2] = 'k', value
	elseif name ~= 'k' and name ~= 'r' and name ~= 't' and name ~= 'o' then
		entry[#entry + 1], entry[#entry + 2] = name, value
	end
end
local body = K .. 'body:' .. (f.o or '')
local has_body = f.k == 'in' and call('EXISTS', body) == 1
local bytes = tonumber(call('HGET', CTL, 'in_bytes')) or 0
call('XLEN', IN)
call('XLEN', WORK)
call('XLEN', K .. 'journal')
local ctl = call('HMGET', CTL, 'offset', 'last')
local function line(name, value) return ',"' .. name .. '":' .. J(value) end
if again then
	if f.k == 'in' and f.m and (f.b or has_body) then
		local size = has_body and call('STRLEN', body) or #f.b
		local new = call('XADD', IN, '*', unpack(entry))
		if has_body then
			call('RENAME', body, K .. 'body:' .. new)
			call('PERSIST', K .. 'body:' .. new)
		end
		call('HSET', CTL, 'in_bytes', I(bytes + #f.m + size + 128))
	elseif f.k == 'work' and f.a and f.m then
		call('XADD', WORK, '*', unpack(entry))
	elseif f.k == 'alert' and f.a and f.m then
		call('XADD', WORK, '*', 'a', f.a, 'm', '{"t":"again","dead":' .. f.m .. '}')
	else
		return 2
	end
elseif has_body then
	call('UNLINK', body)
end
call('XDEL', K .. 'dead', id)
call('XADD', K .. 'journal', '*', 'j', '{"t":"dead","do":"' .. (again and 'retry' or 'drop') .. '"' .. line('id', id) ..
	line('who', ARGV[3] ~= '' and ARGV[3] or 'somebody') .. via_of(ARGV[4]) .. ',"at":' .. I(now_of(ctl[1], ctl[2])) .. line('kind', f.k or '') ..
	line(f.k == 'in' and 'source' or 'aggregate', f.k == 'in' and f.s or f.k ~= 'in' and f.a or '') .. line('reason', f.r or '') .. '}')
return 0
