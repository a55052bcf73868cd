"use strict";
// Draws the plots of a project from its series, each with a mark at every release.

const plots = document.getElementById("plots");

function color(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }

// marks draws a line with the version at each release.
function marks(releases) {
  return {
    hooks: {
      draw: (u) => {
        const c = u.ctx, { left, top, width, height } = u.bbox;
        c.save();
        c.strokeStyle = c.fillStyle = color("--accent");
        c.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
        c.textAlign = "left";
        c.textBaseline = "alphabetic";
        c.lineWidth = devicePixelRatio;
        c.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
        let free = left + width + 1; // the newest ones have texts first: those of releases one after the other would overlap
        for (const r of releases.toReversed()) {
          const x = Math.round(u.valToPos(r.at / 1000, "x", true));
          if (x < left || x > left + width) continue;
          c.beginPath();
          c.moveTo(x, top);
          c.lineTo(x, top + height);
          c.stroke();
          const text = (r.kind === "rollback" ? "↩ " : "") + r.version, wide = c.measureText(text).width;
          const at = x + wide + 6 * devicePixelRatio > left + width ? x - wide - 4 * devicePixelRatio : x + 4 * devicePixelRatio;
          if (at + wide > free) continue;
          c.fillText(text, at, top + 11 * devicePixelRatio);
          free = at - 8 * devicePixelRatio;
        }
        c.restore();
      },
    },
  };
}

const number = (v) => (v == null ? "–" : v >= 1000 ? Math.round(v).toLocaleString() : String(Math.round(v * 10) / 10));

const kinds = {
  requests: { series: [["Requests", "requests", "--accent"]], text: number },
  latency: { series: [["p50", "p50Ms", "--good"], ["p95", "p95Ms", "--busy"], ["p99", "p99Ms", "--bad"]], text: (v) => (v == null ? "–" : number(v) + " ms") },
  errors: { series: [["Errors", "errors", "--bad"]], text: number },
  cache: { series: [["Hit ratio", "hitRatio", "--good"]], text: (v) => (v == null ? "–" : Math.round(v * 1000) / 10 + " %"), range: [0, 1] },
};

const drawn = new Map();

function draw(figure, series) {
  const kind = kinds[figure.dataset.plot], box = figure.querySelector(".canvas");
  const data = [series.points.map((p) => p.at / 1000)];
  for (const [, field] of kind.series) {
    // A step without requests has no latency and no ratio.
    data.push(series.points.map((p) => (field === "requests" || field === "errors" || p.requests > 0 ? p[field] ?? null : null)));
  }
  if (drawn.has(figure)) drawn.get(figure).destroy();
  const axis = { stroke: color("--soft"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
  drawn.set(figure, new uPlot({
    width: box.clientWidth, height: 170, legend: { live: true }, cursor: { y: false },
    scales: { y: { range: kind.range || ((u, min, max) => [0, Math.max(1, max * 1.1)]) } },
    axes: [{ ...axis }, { ...axis, size: 64, values: (u, all) => all.map(kind.text) }],
    series: [{ value: (u, v) => (v == null ? "–" : new Date(v * 1000).toLocaleString()) },
      ...kind.series.map(([label, , name]) => ({
        label, stroke: color(name), width: 1.5, spanGaps: false, value: (u, v) => kind.text(v),
        points: { show: (u, s) => data[s].filter((v) => v != null).length < 30, size: 5 },
      }))],
    plugins: [marks(series.releases)],
  }, data, box));
}

// cut drops the time before the first request and the first release, so that the first minutes of an app fill the plots.
function cut(series) {
  const release = Math.min(...series.releases.map((r) => r.at), Infinity);
  const first = series.points.findIndex((p, i) => p.requests > 0 || (series.points[i + 1]?.at ?? Infinity) > release);
  const least = 15; // points
  return { ...series, points: series.points.slice(Math.max(0, Math.min(first - 2, series.points.length - least))) };
}

async function load() {
  const answer = await fetch(plots.dataset.series, { redirect: "manual" });
  if (!answer.ok) return;
  const series = cut(await answer.json());
  const busy = series.points.some((p) => p.requests > 0);
  plots.querySelector(".empty").hidden = busy;
  const figures = plots.querySelectorAll("[data-plot]");
  for (const figure of figures) figure.hidden = !busy; // all before the first is drawn, whose width depends on the others
  if (busy) for (const figure of figures) draw(figure, series);
  plots.dataset.drawn = busy ? "yes" : "empty";
}

load();
setInterval(() => { if (!document.hidden) load(); }, 15000);
let resized;
addEventListener("resize", () => { clearTimeout(resized); resized = setTimeout(load, 200); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", load);
