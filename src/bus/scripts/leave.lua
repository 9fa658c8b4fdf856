#!lua flags=allow-oom,no-cluster
-- A worker leaves (ARGV: c, consumer) or gives one entry back (ARGV: e, stream, id) to whoever sweeps next.
if ARGV[1] == 'c' then return redis.call('HDEL', '{sw}:workers', ARGV[2]) end
local key = ARGV[2] == 'w' and '{sw}:work' or '{sw}:in'
return #redis.call('XCLAIM', key, 'w', 'nobody', 0, ARGV[3], 'JUSTID')
