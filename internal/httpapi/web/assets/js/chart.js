// The last hour as lines.
import uPlot from "../vendor/uPlot.esm.js";
import { h } from "./dom.js";

const colours = { light: ["#1f5fd6", "#117a52", "#b35c00", "#8a3ab9", "#b3261e", "#00707a", "#6b5b00", "#a1256b"],
  dark: ["#7fb0ff", "#6fd6a8", "#f0a35e", "#d29bf0", "#ff8f87", "#5fd0da", "#d8c64f", "#f08cc0"] };

// chart returns {el, show(times, series)}: times in milliseconds, series {name: values}.
export function chart(title, { format = (v) => v, max } = {}) {
  const box = h("div", { class: "chart" });
  const soon = h("p", { class: "muted" }, "A point every 10 s: the first line is soon there.");
  const el = h("figure", { class: "panel", "aria-label": title }, h("h2", {}, title), soon, box);
  el.style.marginInline = "0";
  let plot = null;
  let made = "";
  const width = () => Math.max(240, box.clientWidth);
  const resize = new ResizeObserver(() => plot?.setSize({ width: width(), height: 190 }));
  resize.observe(box);
  return {
    el,
    show(times, series) {
      const names = Object.keys(series);
      soon.hidden = times.length > 1;
      box.hidden = times.length < 2;
      if (box.hidden) return;
      const theme = document.documentElement.dataset.theme === "dark" ? "dark" : "light";
      const data = [times.map((t) => t / 1000), ...names.map((n) => series[n])];
      if (made !== theme + names.join("\u0001") || !plot) {
        plot?.destroy();
        made = theme + names.join("\u0001");
        const css = getComputedStyle(document.documentElement);
        const axis = { stroke: css.getPropertyValue("--muted"), grid: { stroke: css.getPropertyValue("--line"), width: 1 }, ticks: { show: false } };
        plot = new uPlot({
          width: width(), height: 190, legend: { live: true }, cursor: { drag: { x: false, y: false } },
          scales: { y: { range: (_, lo, hi) => [0, max ?? Math.max(1, hi * 1.15 || 1)] } },
          axes: [{ ...axis }, { ...axis, size: 52, values: (_, vs) => vs.map(format) }],
          series: [{ value: (_, t) => (t == null ? "–" : new Date(t * 1000).toLocaleTimeString([], { hour12: false })) },
            ...names.map((label, i) => ({ label, stroke: colours[theme][i % 8], width: 2, points: { show: times.length < 3 }, value: (_, v) => (v == null ? "–" : format(v)) }))],
        }, data, box);
      } else plot.setData(data);
    },
    destroy() { resize.disconnect(); plot?.destroy(); },
  };
}
