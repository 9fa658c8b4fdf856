#!lua flags=allow-oom,no-cluster
-- A message to an aggregate. ARGV: aggregate, message.
return redis.call('XADD', '{sw}:work', '*', 'a', ARGV[1], 'm', ARGV[2])
