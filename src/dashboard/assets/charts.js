// Draws the curves again with Chart.js, from the numbers of data-chart, so that they can be read point by point. Without it the SVG stays.
"use strict";
(function () {
	if (!window.Chart) return;
	var TIMES = [[0.001, "ms"], [1, "s"], [60, "m"], [3600, "h"], [86400, "d"]], BYTES = [[1, "B"], [1024, "KiB"], [1048576, "MiB"], [1073741824, "GiB"]];
	function scaled(v, units) {
		var i = 0;
		while (i + 1 < units.length && Math.abs(v) >= units[i + 1][0]) i++;
		return Number((v / units[i][0]).toPrecision(4)) + units[i][1];
	}
	function words(type, v) {
		if (v === null) return "–";
		if (type === "ratio") return Number((v * 100).toPrecision(4)) + "%";
		if (type === "duration" || type === "time") return scaled(v, TIMES);
		if (type === "bytes") return scaled(v, BYTES);
		return Number(v.toPrecision(6)) + (type === "rate" ? "/s" : "");
	}
	function clock(d, ms) {
		var text = new Date(ms + d.zone * 1000).toISOString();
		return d.to - d.from > 72000000 ? text.slice(5, 16).replace("T", " ") : text.slice(11, 19);
	}
	function token(el, name) { return getComputedStyle(el).getPropertyValue(name).trim(); }

	// The window, the moments of the deployment and of the verdict.
	function moments(d, el) {
		return {
			id: "moments",
			beforeDatasetsDraw: function (chart) {
				var c = chart.ctx, x = chart.scales.x, a = chart.chartArea;
				if (!d.watched || d.until <= d.watched) return;
				var from = Math.max(x.getPixelForValue(d.watched), a.left), to = Math.min(x.getPixelForValue(d.until), a.right);
				c.save();
				c.globalAlpha = 0.55;
				c.fillStyle = token(el, "--accent-bg");
				if (to > from) c.fillRect(from, a.top, to - from, a.bottom - a.top);
				c.restore();
			},
			afterDatasetsDraw: function (chart) {
				[[d.deployed, "--fg"], [d.decided, "--bad"]].forEach(function (m) {
					if (!m[0] || m[0] < d.from || m[0] > d.to) return;
					var c = chart.ctx, x = chart.scales.x.getPixelForValue(m[0]);
					c.save();
					c.strokeStyle = token(el, m[1]);
					c.lineWidth = 1.8;
					c.beginPath();
					c.moveTo(x, chart.chartArea.top);
					c.lineTo(x, chart.chartArea.bottom);
					c.stroke();
					c.restore();
				});
			}
		};
	}
	function pairs(list) { return list.map(function (p) { return { x: p[0], y: p[1] }; }); }
	function draw(el) {
		var d, svg = el.querySelector(".c-svg"), box = document.createElement("div"), canvas = document.createElement("canvas");
		try { d = JSON.parse(el.dataset.chart); } catch (e) { return; }
		if (!svg || el.dataset.drawn) return;
		el.dataset.drawn = "1";
		var limits = pairs(d.limits), sets = [{
			label: d.signal, data: pairs(d.points), borderColor: token(el, "--chart-1"), backgroundColor: token(el, "--chart-1"), borderWidth: 2,
			pointRadius: d.points.length > 60 ? 0 : 2, pointHoverRadius: 5, spanGaps: false, tension: 0
		}];
		if (limits.length) {
			limits.push({ x: d.to, y: limits[limits.length - 1].y });
			sets.push({ label: el.dataset.limit || "limit", data: limits, borderColor: token(el, "--bad"), borderDash: [7, 4], borderWidth: 1.6, pointRadius: 0, stepped: true });
		}
		if (d.before !== null && d.deployed > d.from)
			sets.push({ label: el.dataset.before || "before", data: [{ x: d.from, y: d.before }, { x: d.deployed, y: d.before }], borderColor: token(el, "--chart-before"), borderDash: [2, 3], borderWidth: 1.4, pointRadius: 0 });
		box.className = "c-canvas";
		canvas.setAttribute("role", "img");
		canvas.setAttribute("aria-hidden", "true");
		box.appendChild(canvas);
		svg.replaceWith(box);
		el.chart = new Chart(canvas, {
			type: "line", data: { datasets: sets }, plugins: [moments(d, el)],
			options: {
				animation: false, responsive: true, maintainAspectRatio: false, normalized: true, parsing: false,
				layout: { padding: 0, autoPadding: false }, interaction: { mode: "nearest", axis: "x", intersect: false },
				scales: {
					x: { type: "linear", min: d.from, max: d.to, display: false },
					y: {
						min: d.low, max: d.high, ticks: { display: false, stepSize: d.step },
						grid: { color: token(el, "--chart-grid"), drawBorder: false, drawTicks: false }
					}
				},
				plugins: {
					legend: { display: false },
					tooltip: {
						displayColors: false,
						callbacks: {
							title: function (items) { return items.length ? clock(d, items[0].parsed.x) : ""; },
							label: function (item) { return item.dataset.label + ": " + words(d.type, item.parsed.y); }
						}
					}
				}
			}
		});
	}
	function all(root) { root.querySelectorAll("[data-chart]").forEach(draw); }
	function again() {
		document.querySelectorAll("[data-chart]").forEach(function (el) {
			if (!el.chart) return;
			var sets = el.chart.data.datasets, names = ["--chart-1", "--bad", "--chart-before"];
			el.chart.options.scales.y.grid.color = token(el, "--chart-grid");
			sets.forEach(function (s, i) { s.borderColor = token(el, s.stepped ? names[1] : i === 0 ? names[0] : names[2]); });
			el.chart.update();
		});
	}
	all(document);
	document.addEventListener("shipwatch:renewed", function (e) { if (e.target.querySelectorAll) all(e.target); });
	window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
})();
