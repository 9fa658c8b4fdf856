-- What every script begins with: the keys, and our time (Redis' clock plus the stored offset, never going back).
local call = redis.call
local K = '{sw}:'
local IN, WORK, CTL = K .. 'in', K .. 'work', K .. 'ctl'
local function I(n) return string.format('%.0f', n) end
local function raw()
	local t = call('TIME')
	return t[1] * 1000 + math.floor(t[2] / 1000)
end
local function now_of(offset, last)
	local n, l = raw() + (tonumber(offset) or 0), tonumber(last) or 0
	if n < l then return l end
	return n
end
-- A string as JSON; cjson writes '/' as '\/', people do not.
local function J(s) return (cjson.encode(s):gsub('\\/', '/')) end
-- By which way a decision came, as a member of a line of the journal; nothing where it is not known.
local function via_of(via) return via ~= '' and ',"via":' .. J(via) or '' end
