// The tasks: as many as are scrolled to.
import { query } from "./api.js";
import { badge, h, set, span, taskLink, workerLink } from "./dom.js";
import { store } from "./store.js";
import { table } from "./table.js";

export function tasks(params) {
  const purpose = h("select", { "aria-label": "Purpose", onchange: () => read(true) }, h("option", { value: "" }, "every purpose"));
  const state = h("select", { "aria-label": "State", onchange: () => read(true) }, ["", "running", "reserved"].map((s) => h("option", { value: s }, s || "every state")));
  const worker = h("input", { type: "search", placeholder: "Worker's id", "aria-label": "Worker", value: params.get("worker") ?? "", onchange: () => read(true) });
  const find = h("input", { type: "search", placeholder: "Go to a task: purpose name", "aria-label": "Go to a task", onchange: () => {
    const [p, ...name] = find.value.trim().split(/\s+/);
    if (name.length) location.hash = `#/task/${encodeURIComponent(p)}/${encodeURIComponent(name.join(" "))}`;
  } });
  const count = h("span", { class: "muted", role: "status" });
  const list = table("Tasks", [
    { label: "Task", cell: (t) => taskLink(t.purpose, t.task), sort: (t) => t.task, width: "minmax(110px,2fr)" },
    { label: "Purpose", cell: (t) => t.purpose, sort: (t) => t.purpose, width: "minmax(70px,1fr)" },
    { label: "State", cell: (t) => badge(t.state), sort: (t) => t.state, width: "95px" },
    { label: "Reservation", cell: (t) => (t.until ? `${span(t.until - Date.now())} left` : "–"), sort: (t) => t.until, text: (t) => (t.until ? span(t.until - Date.now()) : ""), cls: "wide", width: "130px" },
    { label: "Placement", cell: (t) => String(t.placement || "–"), sort: (t) => t.placement, cls: "num wide", width: "150px" },
    { label: "Worker", cell: (t) => workerLink(t.worker), sort: (t) => t.worker, cls: "wide", width: "minmax(110px,2fr)" },
  ], { empty: "No task matches.", height: "68vh", onEnd: () => read(false) });
  const el = h("div", {}, h("h1", {}, "Tasks"), h("div", { class: "tools" }, purpose, state, worker, find, count), list.el);

  let rows = [];
  let next = "";
  let busy = false;
  let again = false;
  async function read(first) {
    if (busy) { again ||= first; return; }
    if (!first && !next) return;
    busy = true;
    try {
      const page = await query("/v1/tasks", { purpose: purpose.value, state: state.value, worker: worker.value.trim(), limit: 500, after: first ? "" : next });
      rows = first ? page.tasks : rows.concat(page.tasks);
      next = page.next ?? "";
      const all = store.status?.purposes.filter((p) => !purpose.value || p.purpose === purpose.value).reduce((n, p) => n + p.running + p.reserved, 0);
      set(count, `${rows.length.toLocaleString("en")}${next ? ` of ${(all ?? 0).toLocaleString("en")}: more as you scroll` : ""}`);
      list.show(rows);
    } catch (err) { set(count, err.message); }
    busy = false;
    if (again) { again = false; read(true); }
  }
  read(true);
  const timer = setInterval(() => { if (rows.length <= 500) read(true); }, 4000);
  return {
    el, focus: find,
    update() {
      const names = (store.status?.purposes ?? []).map((p) => p.purpose);
      if (purpose.options.length !== names.length + 1) {
        const was = purpose.value || params.get("purpose") || "";
        purpose.replaceChildren(h("option", { value: "" }, "every purpose"), ...names.map((n) => h("option", { value: n }, n)));
        purpose.value = names.includes(was) ? was : "";
      }
    },
    end() { clearInterval(timer); },
  };
}
