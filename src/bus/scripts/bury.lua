#!lua flags=allow-oom,no-cluster
-- An entry becomes a dead letter. ARGV: w or i, id, reason. Reply: 0, or 1 when it was done before.
--@include _common.lua
--@include _parts.lua
local key = ARGV[1] == 'w' and WORK or IN
local id, len = ARGV[2], call('XLEN', key)
if #call('XPENDING', key, 'w', id, id, 1) == 0 then return 1 end
local ctl = call('HMGET', CTL, 'offset', 'last', 'in_bytes')
local now = now_of(ctl[1], ctl[2])
local entry = call('XRANGE', key, id, id)[1]
call('HLEN', K .. 'trying')
call('XLEN', K .. 'dead')
local fields = { 'k', ARGV[1] == 'w' and 'work' or 'in', 'r', ARGV[3], 't', I(now), 'o', id }
for _, f in ipairs(entry and entry[2] or {}) do
	-- an entry has its own k, kept as "kind"
	fields[#fields + 1] = (#fields % 2 == 0 and f == 'k') and 'kind' or f
end
call('XADD', K .. 'dead', 'MAXLEN', 10000, '*', unpack(fields))
call('XACK', key, 'w', id)
call('XDEL', key, id)
call('HDEL', K .. 'trying', ARGV[1] .. ':' .. id)
if ARGV[1] == 'i' then
	in_done(1, len, ctl[3])
	call('PEXPIRE', K .. 'body:' .. id, '2592000000')
end
return 0
