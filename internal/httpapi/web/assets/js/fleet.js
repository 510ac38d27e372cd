// The fleet: purposes as cards, workers as a map of cells by load and as a table.
import { get } from "./api.js";
import { badge, bar, h, level, link, percent, plural, replace, set, workerLink } from "./dom.js";
import { chart } from "./chart.js";
import { feed } from "./events.js";
import { store } from "./store.js";
import { table } from "./table.js";

export const stateOf = (w) => w.status;

const columns = [
  { label: "Worker", cell: (w) => workerLink(w.id), sort: (w) => w.id, width: "minmax(130px,2.2fr)", first: "up" },
  { label: "Purpose", cell: (w) => w.purpose, sort: (w) => w.purpose, cls: "wide" },
  { label: "State", cell: (w) => badge(stateOf(w)), sort: stateOf, width: "105px" },
  { label: "Load", cell: (w) => percent(w.load), sort: (w) => w.load, text: (w) => percent(w.load), cls: "num", width: "68px" },
  { label: "", cell: (w) => bar(w.load / (w.max_load || 1), level(w.load, w.max_load)), text: (w) => `${Math.round(200 * w.load)}`, cls: "wide", width: "90px" },
  { label: "Tasks", cell: (w) => tasksOf(w), sort: (w) => w.running + w.reserved, text: (w) => tasksOf(w), cls: "num", width: "72px" },
  { label: "Region", cell: (w) => w.regions.join(", ") || "–", sort: (w) => w.regions.join(), cls: "wide" },
  { label: "Labels", cell: (w) => Object.entries(w.labels).map(([k, v]) => `${k}=${v}`).join(" ") || "–", sort: (w) => JSON.stringify(w.labels), cls: "wide" },
];
const tasksOf = (w) => `${w.running + w.reserved}${w.max_tasks ? ` / ${w.max_tasks}` : ""}`;

export function fleet(params) {
  const purposes = h("div", { class: "cards" });
  const cards = new Map();
  const search = h("input", { type: "search", placeholder: "Filter: id, region, label …", "aria-label": "Filter workers", value: params.get("q") ?? "", oninput: () => update() });
  const state = h("select", { "aria-label": "State", onchange: () => update() },
    ["", "ready", "full", "draining", "cordoned", "not-ready", "initializing"].map((s) => h("option", { value: s }, s || "every state")));
  let asTable = (params.get("show") ?? localStorage.getItem("muster-show")) === "table";
  let purpose = params.get("purpose") ?? "";
  const toggle = h("button", { type: "button", onclick: () => { asTable = !asTable; localStorage.setItem("muster-show", asTable ? "table" : "map"); update(); } });
  const found = h("span", { class: "muted", role: "status" });
  const place = h("div", {});
  const list = table("Workers", columns, { empty: "No worker matches." });
  const map = cells();
  const happened = feed(14, (e) => e.type !== "task.running" && e.type !== "task.claimed" && e.type !== "task.laid-down" && !(e.type === "worker.state" && e.state === "ready"));
  const load = chart("Load by purpose, last hour", { format: percent, max: 1 });
  const placed = chart("Placements a minute by purpose, last hour", { format: (v) => Math.round(v).toLocaleString("en") });
  const el = h("div", {},
    h("h1", { class: "visually-hidden" }, "Fleet"), purposes,
    h("div", { class: "cols" },
      h("div", {},
        h("section", { class: "panel", "aria-label": "Workers" }, h("div", { class: "tools" }, h("h2", { class: "wide" }, "Workers"), search, state, toggle, found), place),
        h("div", { class: "pair" }, load.el, placed.el)),
      h("section", { class: "panel", "aria-label": "Just happened" }, h("h2", {}, "Just happened"), happened.el)));

  const matches = (w) => {
    if (purpose && w.purpose !== purpose) return false;
    if (state.value && stateOf(w) !== state.value) return false;
    const text = search.value.trim().toLowerCase();
    return !text || `${w.id} ${w.purpose} ${w.regions.join(" ")} ${Object.entries(w.labels).map(([k, v]) => `${k}=${v}`).join(" ")} ${w.address ?? ""}`.toLowerCase().includes(text);
  };

  function showCards() {
    const now = new Map((store.status?.purposes ?? []).filter((p) => p.workers || p.running || p.reserved).map((p) => [p.purpose, p]));
    for (const [name, card] of cards) if (!now.has(name)) { card.el.remove(); cards.delete(name); }
    const loads = new Map();
    for (const w of store.workers.values()) {
      const sum = loads.get(w.purpose) ?? [0, 0];
      loads.set(w.purpose, [sum[0] + w.load / (w.max_load || 1), sum[1] + 1]);
    }
    for (const [name, p] of now) {
      let card = cards.get(name);
      if (!card) {
        card = { big: h("span", { class: "big" }), noun: h("span", { class: "muted" }), full: h("span", {}), tasks: h("div", { class: "muted small" }), bar: h("div", {}) };
        card.el = h("a", { class: "card", href: "#/fleet", onclick: (e) => { e.preventDefault(); purpose = purpose === name ? "" : name; update(); } },
          h("div", { class: "row" }, h("b", {}, name), h("span", { class: "muted wide" }, p.strategy)), h("div", { class: "row" }, h("span", {}, card.big, card.noun), card.full), card.bar, card.tasks);
        cards.set(name, card);
        purposes.append(card.el);
      }
      if (purpose === name) card.el.setAttribute("aria-current", "true"); else card.el.removeAttribute("aria-current");
      const [sum, n] = loads.get(name) ?? [0, 0];
      set(card.big, p.workers.toLocaleString("en"));
      set(card.noun, p.workers === 1 ? " worker" : " workers");
      const trouble = p.workers - p.ready ? `${p.workers - p.ready} not ready` : p.full ? `${p.full} full` : "all free";
      if (card.full.textContent !== trouble) replace(card.full, badge(trouble, p.workers === p.full || p.ready === 0 ? "bad" : trouble === "all free" ? "ok" : "warn"));
      const mean = n ? sum / n : 0;
      replace(card.bar, bar(mean, level(mean, 1)));
      set(card.tasks, `${percent(mean)} load · ${p.running.toLocaleString("en")} running · ${p.reserved} reserved`);
    }
  }

  let version = -1;
  let matched = "";
  function update() {
    showCards();
    const list_ = [...store.workers.values()].filter(matches);
    set(toggle, asTable ? "Show as map" : "Show as table");
    set(found, store.loaded ? `${list_.length.toLocaleString("en")} of ${store.workers.size.toLocaleString("en")}` : store.error || "loading …");
    const want = asTable ? list.el : map.el;
    if (place.firstChild !== want) replace(place, want);
    // Also what a filter selects changes as workers change.
    const which = list_.length === store.workers.size ? `all ${store.loaded}` : list_.map((w) => w.id).join("\u0001");
    if (asTable) list.show(list_); else map.show(list_, version !== store.members || which !== matched);
    if (!asTable) { version = store.members; matched = which; }
    happened.show(store.events);
  }

  async function hour() {
    try {
      const past = await get("/v1/history");
      const of = (f) => Object.fromEntries(past.purposes.map((p) => [p.purpose, f(p)]));
      load.show(past.times, of((p) => p.load));
      placed.show(past.times, of((p) => p.placed));
    } catch { /* the next try is soon */ }
  }
  hour();
  const timer = setInterval(hour, 10000);
  return { el, update, focus: search, end() { clearInterval(timer); load.destroy(); placed.destroy(); } };
}

// cells is the map: purpose, region, and a cell for each worker, filled by its load. The
// arrow keys go from cell to cell; one of them is in the order of the tab key.
function cells() {
  const known = new Map();
  const groups = h("div", { onkeydown: walk });
  const el = h("div", {}, groups, h("div", { class: "legend" },
    [["l0", "below 30 %"], ["l1", "to 60 %"], ["l2", "to 80 %"], ["l3", "to 95 %"], ["l4", "at its limit"]].map(([c, t]) => h("span", {}, h("i", { class: `cell ${c}` }), t)),
    h("span", {}, h("i", { class: "cell off" }), "not ready"), h("span", {}, h("i", { class: "cell drain" }), "drained or cordoned")));

  function walk(e) {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 12, ArrowUp: -12, Home: -1e9, End: 1e9 }[e.key];
    if (!step || !e.target.classList.contains("cell")) return;
    e.preventDefault();
    const all = [...groups.querySelectorAll("a.cell")];
    const next = all[Math.max(0, Math.min(all.length - 1, all.indexOf(e.target) + step))];
    e.target.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }

  function cell(w) {
    let it = known.get(w.id);
    if (!it) {
      it = { el: h("a", { href: link.worker(w.id), tabindex: "-1" }), key: "" };
      known.set(w.id, it);
    }
    const share = Math.min(1, w.load / (w.max_load || 1));
    const key = `${Math.round(share * 50)} ${stateOf(w)} ${w.running + w.reserved}`;
    if (it.key !== key) {
      it.key = key;
      const off = w.status === "not-ready" || w.status === "initializing";
      it.el.className = `cell ${level(w.load, w.max_load)}${off ? " off" : ""}${w.drain || w.cordoned ? " drain" : ""}`;
      it.el.style.setProperty("--f", Math.max(0.06, share).toFixed(2));
      const text = `${w.id}: ${percent(w.load)} load, ${plural(w.running + w.reserved, "task")}, ${stateOf(w)}`;
      it.el.title = text;
      it.el.setAttribute("aria-label", text);
    }
    return it.el;
  }

  return {
    el,
    show(workers, rebuild) {
      if (!rebuild) { workers.forEach(cell); return; }
      const by = new Map();
      for (const w of workers) {
        const region = w.regions.join(", ");
        const name = `${w.purpose}\u0001${region}`;
        if (!by.has(name)) by.set(name, []);
        by.get(name).push(w);
      }
      for (const id of known.keys()) if (!store.workers.has(id)) known.delete(id);
      const focused = document.activeElement?.classList.contains("cell") ? document.activeElement : null;
      const purposes = new Map();
      for (const name of [...by.keys()].sort()) {
        const [purpose, region] = name.split("\u0001");
        const list = by.get(name).sort((a, b) => (a.id < b.id ? -1 : 1));
        if (!purposes.has(purpose)) purposes.set(purpose, []);
        purposes.get(purpose).push(h("div", { class: "region" },
          h("div", { class: "group-head" }, region ? h("span", {}, region) : null, h("span", { class: "muted" }, region ? list.length.toLocaleString("en") : plural(list.length, "worker"))),
          h("div", { class: "cells" }, list.map(cell))));
      }
      replace(groups, [...purposes].map(([purpose, parts]) => h("div", { class: "group" }, h("h3", {}, purpose), h("div", { class: "regions" }, parts))), by.size ? [] : h("p", { class: "empty" }, store.loaded ? "No worker matches." : "Loading …"));
      if (focused?.isConnected) focused.focus();
      else { const first = groups.querySelector("a.cell"); if (first) first.tabIndex = 0; }
    },
  };
}
