#!lua flags=allow-oom,no-cluster
-- This entry is begun alone once more. ARGV: "w:<id>" or "i:<id>". Reply: how often by now.
return redis.call('HINCRBY', '{sw}:trying', ARGV[1], 1)
