#!lua flags=allow-oom,no-cluster
-- A gateway is there and has so many bytes in its spool. ARGV: name, bytes. Reply: the drained offset, or -1.
--@include _common.lua
local ctl = call('HMGET', CTL, 'offset', 'last')
local now = now_of(ctl[1], ctl[2])
local all = call('HGETALL', K .. 'gateways')
local at = call('GET', K .. 'spool:' .. ARGV[1])
local memory = call('INFO', 'memory')
local max = tonumber(memory:match('\nmaxmemory:(%d+)')) or 0
call('HSET', K .. 'gateways', ARGV[1], I(now) .. ' ' .. ARGV[2])
for i = 1, #all, 2 do
	if all[i] ~= ARGV[1] and (tonumber(all[i + 1]:match('^%d+')) or 0) < now - 30000 then call('HDEL', K .. 'gateways', all[i]) end
end
call('HSET', CTL, 'full', max > 0 and tonumber(memory:match('used_memory:(%d+)')) > max / 2 and '1' or '0')
return at and tonumber(at) or -1
