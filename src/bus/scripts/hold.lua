#!lua flags=allow-oom,no-cluster
-- Actions are held, or no more. ARGV: scope ('' everything), 1 or 0, who, why, via ('' not known).
--@include _common.lua
local scope, on, who, why = ARGV[1], ARGV[2] == '1', ARGV[3], ARGV[4]
local ctl = call('HMGET', CTL, 'offset', 'last')
local now = I(now_of(ctl[1], ctl[2]))
call('XLEN', K .. 'journal')
if scope == '' then
	if on then
		call('HSET', CTL, 'hold', '1', 'hold_by', who, 'hold_why', why, 'hold_at', now)
	else
		call('HDEL', CTL, 'hold', 'hold_by', 'hold_why', 'hold_at')
	end
elseif on then
	call('HSET', CTL, 'hold:' .. scope, '{"by":' .. J(who) .. ',"why":' .. J(why) .. ',"at":' .. now .. '}')
else
	call('HDEL', CTL, 'hold:' .. scope)
end
call('XADD', K .. 'journal', '*', 'j', '{"t":"hold","on":' .. (on and 'true' or 'false') .. ',"scope":' .. J(scope) .. ',"who":' .. J(who) ..
	via_of(ARGV[5]) .. ',"why":' .. J(why) .. ',"at":' .. now .. '}')
return 0
