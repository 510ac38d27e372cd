// The smaller views: decisions as they happen, the managers, drains, the audit.
import { call, get, query } from "./api.js";
import { badge, clock, h, percent, plural, replace, set, span } from "./dom.js";
import { confirm } from "./dialog.js";
import { feed, sentence } from "./events.js";
import { readDrains, store } from "./store.js";
import { table } from "./table.js";

const groups = { "": "everything", "task.placed": "placements", "task.refused": "refusals", task: "tasks", worker: "workers" };

export function activity() {
  let held = null;
  const kind = h("select", { "aria-label": "Which events", onchange: () => again() }, Object.entries(groups).map(([v, t]) => h("option", { value: v }, t)));
  const text = h("input", { type: "search", placeholder: "Filter: task, worker, purpose …", "aria-label": "Filter events", oninput: () => again() });
  const hold = h("button", { type: "button", "aria-pressed": "false", onclick: () => {
    held = held ? null : store.events.slice();
    hold.setAttribute("aria-pressed", String(!!held));
    set(hold, held ? "Go on" : "Hold");
    update();
  } }, "Hold");
  const rate = h("span", { class: "muted" });
  const list = table("Events", [
    { label: "Time", cell: (e) => clock(e.at), width: "76px", text: (e) => e.id },
    { label: "What happened", cell: (e) => h("span", {}, sentence(e)), text: (e) => e.id },
  ], { empty: "Nothing happened yet.", height: "68vh" });
  const el = h("div", {}, h("h1", {}, "Decisions, as they happen"), h("div", { class: "tools" }, kind, text, hold, rate), list.el);
  let last = null;
  function again() { last = null; update(); }
  function update() {
    set(rate, `${store.placed.toFixed(1)} placed and ${store.refused.toFixed(1)} refused a second`);
    const events = held ?? store.events;
    if (events.at(-1)?.id === last && last) return;
    last = events.at(-1)?.id;
    const want = text.value.trim().toLowerCase();
    list.show(events.filter((e) => e.type?.startsWith(kind.value) && (!want || `${e.task ?? ""} ${e.worker ?? ""} ${e.purpose ?? ""} ${e.reason ?? ""}`.toLowerCase().includes(want))).reverse());
  }
  return { el, update, focus: text, end() {} };
}

export function managers() {
  const state = h("p", {});
  const body = h("tbody", {});
  const heads = ["Manager", "Role", "Term", "Index", "Lag", "Votes", "Heard by the leader", "Version", "Process", "Page"];
  const settings = h("div", {});
  const strategies = h("tbody", {});
  const el = h("div", {}, h("h1", {}, "Managers"),
    h("section", { class: "panel", "aria-label": "Managers" }, state, h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Table of managers" }, h("table", { class: "plain-table", id: "managers" },
      h("thead", {}, h("tr", {}, heads.map((t) => h("th", { scope: "col" }, t)))), body))),
    h("section", { class: "panel", "aria-label": "Purposes" }, h("h2", {}, "Purposes"), h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Table of purposes" }, h("table", { class: "plain-table" },
      h("thead", {}, h("tr", {}, ["Purpose", "Strategy", "Workers", "Ready", "Full", "Running", "Reserved", "Debit"].map((t, i) => h("th", { scope: "col", class: i < 2 ? "" : "num" }, t)))), strategies))),
    h("section", { class: "panel", "aria-label": "Configuration" }, h("h2", {}, "Configuration in force"), settings));
  const list = table("Settings", [
    { label: "Key", cell: (s) => h("span", { class: "mono" }, s.key), sort: (s) => s.key, width: "minmax(130px,1fr)", first: "up" },
    { label: "Value", cell: (s) => s.value || "–", sort: (s) => s.value },
    { label: "From", cell: (s) => s.origin, sort: (s) => s.origin, cls: "wide" },
  ], { height: "340px" });
  settings.append(list.el);
  get("/v1/config").then((c) => list.show(c.settings)).catch((err) => replace(settings, h("p", { class: "muted" }, err.message)));
  let shown = "";
  function update() {
    const s = store.status;
    if (!s) return;
    const key = JSON.stringify([s.managers, s.purposes, s.state, s.evictions, s.stale_ms > 0]);
    if (key === shown) return;
    shown = key;
    replace(state, badge(s.state), ` Cluster ${s.cluster}. `, s.evictions.state === "normal" ? "Silent workers are evicted." : `Eviction: ${s.evictions.state}, ${plural(s.evictions.silent, "silent worker")} kept.`,
      s.stale_ms ? ` Nothing is decided: this is the state of ${span(s.stale_ms)} ago.` : "");
    replace(body, s.managers.map((m) => h("tr", {}, h("td", { class: "mono" }, m.addr || m.id), h("td", {}, badge(m.role)), h("td", {}, m.term), h("td", {}, m.index), h("td", {}, m.lag),
      h("td", {}, m.voter ? "yes" : "no"), h("td", {}, m.active ? "yes" : badge("no", "bad")), h("td", {}, m.version || "–"), h("td", {}, m.pid || "–"),
      h("td", {}, m.http ? h("a", { href: m.http }, m.http.replace(/^https?:\/\//, "")) : "–"))));
    replace(strategies, s.purposes.map((p) => h("tr", {}, h("td", {}, p.purpose), h("td", {}, p.strategy), [p.workers, p.ready, p.full, p.running, p.reserved].map((n) => h("td", { class: "num" }, n.toLocaleString("en"))), h("td", { class: "num" }, percent(p.debit)))));
  }
  return { el, update, end() {} };
}

export function drains() {
  const list = h("div", {});
  const el = h("div", {}, h("h1", {}, "Drains"), h("p", { class: "muted" }, "A drained worker gets no new tasks. Begin one on the page of a worker, or with muster drain."), list);
  const cards = new Map();
  function card(d) {
    const of = { state: h("span", {}), bar: h("progress", { max: 1, value: 0 }), text: h("p", {}), about: h("p", { class: "muted" }), act: h("span", {}) };
    of.bar.setAttribute("aria-label", `Progress of drain ${d.id}`);
    of.el = h("section", { class: "panel drain", "aria-label": `Drain ${d.id}` }, h("div", { class: "head" }, h("h2", {}, `Drain ${d.id}: ${d.title}`), of.state, h("span", { class: "grow" }), of.act), of.bar, of.text, of.about);
    return of;
  }
  function update() {
    const now = store.drains.slice().sort((a, b) => b.id - a.id);
    for (const [id, c] of cards) if (!now.some((d) => d.id === id)) { c.el.remove(); cards.delete(id); }
    for (const d of now) {
      let c = cards.get(d.id);
      if (!c) { c = card(d); cards.set(d.id, c); list.append(c.el); }
      const active = d.state === "draining" || d.state === "empty";
      const key = JSON.stringify(d) + store.status?.role;
      const left = d.estimate_ms > 0 ? `, about ${span(d.estimate_ms)} to go` : "";
      set(c.text, `${d.left} of ${plural(d.total, "task")} left on ${plural(d.workers, "worker")}${d.state === "draining" ? left : ""}${d.deadline && d.state === "draining" ? `; ${d.overdue ? "overdue" : `deadline in ${span(d.deadline - Date.now())}`}, then ${d.policy}` : ""}${d.lost ? `; ${plural(d.lost, "task")} lost with workers that left` : ""}.`);
      if (c.key === key) continue;
      c.key = key;
      replace(c.state, badge(d.state));
      c.bar.value = d.total ? (d.total - d.left) / d.total : 1;
      set(c.about, `By ${d.by.name || "an operator"}${d.by.from ? ` from ${d.by.from}` : ""} at ${clock(d.since)}${d.sticky ? ", also for workers that join later" : ""}`);
      replace(c.act, active && ["operator", "admin"].includes(store.status?.role) ? h("button", { type: "button", onclick: async () => {
        try { await call("DELETE", `/v1/drains/${d.id}`); } catch (err) { await confirm({ title: "Refused", text: err.message, yes: "Close", only: true }); }
        readDrains();
      } }, "Call off") : []);
    }
    if (!now.length && !list.querySelector(".empty")) replace(list, h("p", { class: "panel empty" }, "No worker is being drained."));
    if (now.length) list.querySelector(".empty")?.remove();
  }
  return { el, update, end() {} };
}

export function audit() {
  const list = table("Audit", [
    { label: "Time", cell: (a) => new Date(a.at).toLocaleString([], { hour12: false }), sort: (a) => a.number, width: "170px", first: "down" },
    { label: "Who", cell: (a) => a.by.name || "–", sort: (a) => a.by.name ?? "", width: "minmax(70px,1fr)" },
    { label: "From", cell: (a) => a.by.from || "–", sort: (a) => a.by.from ?? "", cls: "wide" },
    { label: "What", cell: (a) => badge(a.action), sort: (a) => a.action, width: "110px" },
    { label: "To what", cell: (a) => a.target, sort: (a) => a.target, width: "minmax(90px,1.5fr)" },
    { label: "Before", cell: (a) => h("span", { title: a.before }, a.before || "–"), sort: (a) => a.before ?? "", cls: "wide", width: "minmax(0,2fr)" },
    { label: "After", cell: (a) => h("span", { title: a.after }, a.after || "–"), sort: (a) => a.after ?? "", cls: "wide", width: "minmax(0,2fr)" },
  ], { empty: "No operator changed anything yet.", height: "68vh" });
  const failed = h("p", { class: "error" });
  const save = h("button", { type: "button", onclick: () => {
    const url = URL.createObjectURL(new Blob([rows.map((r) => JSON.stringify(r) + "\n").join("")], { type: "application/jsonl" }));
    const a = h("a", { href: url, download: "audit.jsonl" });
    a.click();
    URL.revokeObjectURL(url);
  } }, "Save as JSON lines");
  let rows = [];
  const el = h("div", {}, h("div", { class: "head" }, h("h1", {}, "Audit"), h("span", { class: "grow" }), save), failed, list.el);
  async function read() {
    try { rows = (await query("/v1/audit", { limit: 1000 })).entries; list.show(rows); set(failed, ""); } catch (err) { set(failed, err.message); }
  }
  read();
  const timer = setInterval(read, 5000);
  return { el, update() {}, end() { clearInterval(timer); } };
}
