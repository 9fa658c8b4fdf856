#!lua flags=no-writes,no-cluster
-- Where the journal begins and ends. Reply: first entry, last id given, length, entries ever added (-1: this Redis does not count), lineage.
--@include _common.lua
local key, of = K .. 'journal', {}
local lineage = call('HGET', CTL, 'lineage') or ''
if call('EXISTS', key) == 0 then return { '0-0', '0-0', 0, 0, lineage } end
local x = call('XINFO', 'STREAM', key)
for i = 1, #x, 2 do of[x[i]] = x[i + 1] end
return { of['first-entry'] and of['first-entry'][1] or '0-0', of['last-generated-id'], of['length'], of['entries-added'] or -1, lineage }
