// What JavaScript adds to pages that are whole without it: times that say how long ago, and pieces that renew themselves.
"use strict";
(function () {
	var zh = document.documentElement.lang.indexOf("zh") === 0;

	// ---- "3 min ago" ----
	function ago(ms) {
		var s = Math.round(ms / 1000), past = s >= 0, n = Math.abs(s), text;
		if (n < 45) return zh ? "刚刚" : past ? "just now" : "in a moment";
		if (n < 5400) text = Math.max(1, Math.round(n / 60)) + (zh ? " 分钟" : " min");
		else if (n < 129600) text = Math.round(n / 3600) + (zh ? " 小时" : " h");
		else return null;
		return zh ? text + (past ? "前" : "后") : past ? text + " ago" : "in " + text;
	}
	function times() {
		document.querySelectorAll("time[datetime]").forEach(function (t) {
			if (t.dataset.whole === undefined) t.dataset.whole = t.textContent;
			var text = ago(Date.now() - Date.parse(t.getAttribute("datetime")));
			t.textContent = text === null ? t.dataset.whole : text;
		});
	}

	// ---- pieces that renew themselves: <section id="…" data-live="deployments alerts"> ----
	function parts() { return Array.from(document.querySelectorAll("[data-live][id]")); }
	function wants(el, names) {
		return el.dataset.live.split(/\s+/).some(function (n) { return names.indexOf(n) >= 0; });
	}
	// A form somebody fills in is left alone; what was opened stays open, what had the focus has it again.
	function busy(el) {
		var f = document.activeElement;
		return f && el.contains(f) && /^(INPUT|SELECT|TEXTAREA)$/.test(f.tagName) && f.type !== "hidden";
	}
	function path(root, el) {
		var p = [];
		for (; el && el !== root; el = el.parentElement) p.unshift(Array.prototype.indexOf.call(el.parentElement.children, el));
		return el === root ? p : null;
	}
	function at(root, p) {
		for (var i = 0; root && i < p.length; i++) root = root.children[p[i]];
		return root;
	}
	function boxes(el) { return [el].concat(Array.from(el.querySelectorAll(".scroll"))); }
	function swap(old, fresh) {
		var f = document.activeElement, where = f && old.contains(f) ? path(old, f) : null, id = f && f.id;
		var open = Array.from(old.querySelectorAll("details[open]")).map(function (d) { return d.id || path(old, d).join(); });
		var places = boxes(old).map(function (x) { return [x.scrollLeft, x.scrollTop]; });
		if (old.outerHTML === fresh.outerHTML) return;
		fresh = document.adoptNode(fresh);
		old.replaceWith(fresh);
		fresh.querySelectorAll("details").forEach(function (d) {
			if (open.indexOf(d.id || path(fresh, d).join()) >= 0) d.open = true;
		});
		boxes(fresh).forEach(function (x, i) { if (places[i]) { x.scrollLeft = places[i][0]; x.scrollTop = places[i][1]; } });
		if (where) {
			var to = (id && document.getElementById(id)) || at(fresh, where);
			if (to && to.focus) to.focus({ preventScroll: true });
		}
		fresh.dispatchEvent(new CustomEvent("shipwatch:renewed", { bubbles: true }));
	}
	var asking = false, again = [], failed = 0;
	function renew(names) {
		var mine = parts().filter(function (el) { return wants(el, names); });
		if (!mine.length || document.hidden) { if (document.hidden) again = again.concat(names); return; }
		if (asking) { again = again.concat(names); return; }
		asking = true;
		fetch(location.href, { headers: { "X-Shipwatch-Live": "1" }, credentials: "same-origin", redirect: "manual", cache: "no-store" }).then(function (r) {
			if (r.type === "opaqueredirect" || r.status === 401) { location.reload(); return null; }
			return r.ok ? r.text() : null;
		}).then(function (text) {
			if (text === null) return;
			var fresh = new DOMParser().parseFromString(text, "text/html");
			mine.forEach(function (el) {
				var to = fresh.getElementById(el.id);
				if (to && document.contains(el) && !busy(el)) swap(el, to);
			});
			times();
			failed = 0;
		}).catch(function () { failed++; }).then(function () {
			asking = false;
			var more = again;
			again = [];
			if (more.length && failed < 3) setTimeout(function () { renew(more); }, 300);
		});
	}

	// ---- the stream ----
	var sign = document.getElementById("live"), source = null, retry = null, pause = 1000;
	function say(on) {
		if (!sign) return;
		sign.textContent = on ? sign.dataset.on : sign.dataset.off;
		sign.className = on ? "live on" : "live off";
	}
	function listen() {
		if (source || document.hidden || !window.EventSource || !parts().length) return;
		source = new EventSource("/live" + (last ? "?last=" + encodeURIComponent(last) : ""));
		source.onopen = function () { pause = 1000; say(true); };
		source.addEventListener("hello", function (e) { last = e.lastEventId; });
		source.addEventListener("touched", function (e) {
			last = e.lastEventId;
			// Not all of them in the same moment.
			setTimeout(function () { renew(e.data.split(" ")); }, Math.random() * 250);
		});
		source.onerror = function () {
			say(false);
			if (source.readyState !== EventSource.CLOSED) return;
			source = null;
			renew(["status"]); // the session may be over: then the page goes to the sign-in
			clearTimeout(retry);
			retry = setTimeout(listen, pause + Math.random() * pause);
			pause = Math.min(pause * 2, 60000);
		};
	}
	var last = "";
	// A browser has few connections for one server: a tab that nobody looks at gives its own back, and hears afterwards what it missed.
	var rest = null;
	document.addEventListener("visibilitychange", function () {
		clearTimeout(rest);
		if (document.hidden) {
			rest = setTimeout(function () {
				clearTimeout(retry);
				if (source) source.close();
				source = null;
			}, 10000);
			return;
		}
		if (again.length) { var more = again; again = []; renew(more); }
		listen();
	});

	// ---- small things ----
	document.addEventListener("submit", function (e) {
		// A second press of the same button sends nothing.
		if (e.target.dataset.sent) { e.preventDefault(); return; }
		if (e.target.method === "post") e.target.dataset.sent = "1";
	});
	window.addEventListener("pageshow", function () {
		document.querySelectorAll("form[data-sent]").forEach(function (f) { delete f.dataset.sent; });
	});
	document.addEventListener("keydown", function (e) {
		var f = document.activeElement, box = document.querySelector(".search input");
		if (e.key !== "/" || e.ctrlKey || e.metaKey || e.altKey || !box || (f && /^(INPUT|SELECT|TEXTAREA)$/.test(f.tagName))) return;
		e.preventDefault();
		box.focus();
	});
	times();
	setInterval(times, 20000);
	listen();
})();
