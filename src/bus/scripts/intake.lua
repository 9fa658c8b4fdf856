#!lua flags=allow-oom,no-cluster
-- A raw entry is done. ARGV: id, journal, journal's length, facts, keeps. Reply: 0, or 1 when it was done before.
--@include _common.lua
--@include _parts.lua
local id, len = ARGV[1], call('XLEN', IN)
if #call('XPENDING', IN, 'w', id, id, 1) == 0 then return 1 end
call('XLEN', WORK)
if ARGV[2] ~= '' then call('XLEN', K .. 'journal') end
local trying = call('HLEN', K .. 'trying') > 0
local bytes = call('HGET', CTL, 'in_bytes')
check_keeps(5 + 2 * tonumber(ARGV[4]))
write_keeps(write_tells(4))
journal(ARGV[2], ARGV[3])
call('XACK', IN, 'w', id)
call('XDEL', IN, id)
if trying then call('HDEL', K .. 'trying', 'i:' .. id) end
in_done(id, len, bytes)
return 0
