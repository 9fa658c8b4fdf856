#!lua flags=allow-oom,no-cluster
-- Takes over entries of consumers that went silent, and gives us again our own that we never saw. ARGV: consumer, at most, o(thers)
-- only or m(ine) too, then the ids we know ("w:…", "i:…"). Reply, flat: stream, id, of another?, fields (count), name, value, …
--@include _common.lua
local me, max = ARGV[1], tonumber(ARGV[2])
local ctl = call('HMGET', CTL, 'offset', 'last')
local now = now_of(ctl[1], ctl[2])
local known, out = {}, {}
for i = 4, #ARGV do known[ARGV[i]] = true end
for tag, key in pairs({ w = WORK, i = IN }) do
	for _, c in ipairs(call('XPENDING', key, 'w')[4] or {}) do
		local name, ids, other = c[1], {}, '1'
		if name == me then
			if ARGV[3] == 'm' then
				other = '0'
				local from, page = '-', nil
				repeat
					page = call('XPENDING', key, 'w', from, '+', 1000, me)
					for _, e in ipairs(page) do
						if not known[tag .. ':' .. e[1]] and #ids < max then ids[#ids + 1] = e[1] end
						from = '(' .. e[1]
					end
				until #page < 1000 or #ids >= max
			end
		elseif (tonumber(call('HGET', K .. 'workers', name) or 0) or 0) < now - 5000 then
			for _, e in ipairs(call('XPENDING', key, 'w', 'IDLE', 5000, '-', '+', max, name)) do ids[#ids + 1] = e[1] end
		end
		if #ids > 0 then
			for _, e in ipairs(call('XCLAIM', key, 'w', me, 0, unpack(ids))) do
				local o = #out
				out[o + 1], out[o + 2], out[o + 3], out[o + 4] = tag, e[1], other, #e[2]
				for _, f in ipairs(e[2]) do out[#out + 1] = f end
			end
		end
	end
end
return out
