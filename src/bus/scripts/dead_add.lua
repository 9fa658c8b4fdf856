#!lua flags=allow-oom,no-cluster
-- A dead letter that is no stream entry. ARGV: kind, reason, body.
--@include _common.lua
local ctl = call('HMGET', CTL, 'offset', 'last')
call('XADD', K .. 'dead', 'MAXLEN', 10000, '*', 'k', ARGV[1], 'r', ARGV[2], 't', I(now_of(ctl[1], ctl[2])), 'm', ARGV[3])
return 0
