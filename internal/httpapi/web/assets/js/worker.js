// One worker: how it stands, its last hour, its tasks, its nodes and their logs.
import { call, get, query } from "./api.js";
import { badge, h, percent, plural, replace, set, taskLink } from "./dom.js";
import { chart } from "./chart.js";
import { confirm } from "./dialog.js";
import { feed } from "./events.js";
import { stateOf } from "./fleet.js";
import { onEvent, store } from "./store.js";
import { table } from "./table.js";

export function worker(_, id) {
  const path = `/v1/workers/${encodeURIComponent(id)}`;
  const state = h("span", {});
  const actions = h("div", { class: "tools" });
  const facts = h("dl", { class: "facts" });
  const labels = h("div", { class: "taglist" });
  const load = chart("Load, last hour", { format: percent, max: 1 });
  const tasks = table("Tasks", [
    { label: "Task", cell: (t) => taskLink(t.purpose, t.task), sort: (t) => t.task, width: "minmax(120px,2fr)", first: "up" },
    { label: "State", cell: (t) => badge(t.state), sort: (t) => t.state, width: "110px" },
  ], { empty: "No tasks.", height: "300px" });
  const count = h("span", { class: "muted" });
  const nodes = h("div", {});
  const happened = feed(40, (e) => e.worker === id || e.holder === id);
  const el = h("div", {},
    h("div", { class: "head" }, h("h1", { class: "mono" }, id), state, h("span", { class: "grow" }), actions),
    h("div", { class: "cols" },
      h("div", {},
        h("section", { class: "panel", "aria-label": "Facts" }, facts, labels),
        load.el,
        h("section", { class: "panel", "aria-label": "Tasks" }, h("h2", {}, "Tasks ", count), tasks.el),
        nodes),
      h("section", { class: "panel", "aria-label": "What happened" }, h("h2", {}, "What happened here"), happened.el)));

  let detail = null;
  let gone = "";
  async function read() {
    try {
      detail = await get(path);
      const list = await query("/v1/tasks", { worker: id, limit: 1000 });
      tasks.show(list.tasks);
      set(count, detail.running + detail.reserved > list.tasks.length ? `(the first ${list.tasks.length})` : "");
      gone = "";
    } catch (err) { gone = err.message; }
    try {
      const past = await get(`${path}/history`);
      load.show(past.times, { load: past.load });
    } catch { /* the next try is soon */ }
    update();
  }

  const logs = new Map();
  async function readNodes() {
    try {
      const list = (await get(`${path}/nodes`)).nodes;
      if (!nodes.firstChild) nodes.append(h("section", { class: "panel", "aria-label": "Nodes" }, h("h2", {}, "Nodes"), h("div", {})));
      const box = nodes.firstChild.lastChild;
      for (const n of list) if (!logs.has(n.node)) { const one = nodeOf(path, n.node); logs.set(n.node, one); box.append(one.el); }
      for (const [name, one] of logs) { const n = list.find((x) => x.node === name); if (n) one.show(n); else if (!one.open()) { one.el.remove(); logs.delete(name); } }
      if (!list.length && !logs.size) replace(box, h("p", { class: "muted" }, "No nodes."));
    } catch { /* a worker without nodes answers nothing */ }
  }

  function update() {
    const w = store.workers.get(id) ?? detail;
    happened.show(store.events);
    if (!w || (gone && !store.workers.has(id))) {
      replace(state, badge(gone ? "gone" : "…", gone ? "bad" : ""));
      if (gone) replace(facts, h("div", {}, h("dt", {}, "Not in the cluster"), h("dd", {}, gone)));
      replace(actions);
      return;
    }
    const text = stateOf(w);
    if (state.textContent !== text) replace(state, badge(text));
    const list = [["Purpose", w.purpose], ["Load", `${percent(w.load)} of ${percent(w.max_load)}`], ["Debit", percent(w.debit)],
      ["Tasks", `${w.running} running, ${w.reserved} reserved`], ["Most tasks", w.max_tasks || "no limit"], ["Region", w.regions.join(", ") || "–"],
      ["Provider", w.isps.join(", ") || "any"], ["Address", w.address || "–"]];
    if (w.heard_ms !== undefined && w.heard_ms !== null) list.push(["Last heard", `${(w.heard_ms / 1000).toFixed(1)} s ago`]);
    replace(facts, list.map(([k, v]) => h("div", {}, h("dt", {}, k), h("dd", {}, v))));
    replace(labels, Object.entries(w.labels).map(([k, v]) => h("span", { class: "badge" }, `${k}=${v}`)));
    showActions(w);
  }

  let shown = "";
  function showActions(w) {
    const may = ["operator", "admin"].includes(store.status?.role);
    const key = `${w.drain} ${w.cordoned} ${may}`;
    if (key === shown) return;
    shown = key;
    if (!may) { replace(actions); return; }
    const drained = w.drain ? h("button", { type: "button", onclick: () => act(() => call("DELETE", `/v1/drains/${w.drain}`)) }, "Call the drain off")
      : h("button", { type: "button", class: "primary", id: "drain", onclick: () => drain(w) }, "Drain");
    const cordon = w.cordoned ? h("button", { type: "button", onclick: () => act(() => call("DELETE", `${path}/cordon`)) }, "Uncordon")
      : h("button", { type: "button", onclick: () => act(() => call("PUT", `${path}/cordon`)) }, "Cordon");
    replace(actions, drained, cordon);
  }

  async function act(f) {
    try { await f(); await read(); } catch (err) { await confirm({ title: "Refused", text: err.message, yes: "Close", only: true }); }
  }

  async function drain(w) {
    const wish = await confirm({
      title: `Drain ${w.id}?`, yes: "Drain", fields: [
        { name: "deadline", label: "Deadline in minutes (empty: none)", type: "number", min: 0 },
        { name: "policy", label: "What happens to the tasks left at the deadline", options: [["wait", "wait: they may end by themselves"], ["hand-back", "hand-back: their callers place them again"], ["end", "end: agents end them"]] },
        { name: "force", label: "Also if its purpose has no other worker", type: "checkbox" },
      ],
      text: `It gets no new tasks; ${plural(w.running + w.reserved, "task")} on it may end first.`,
    });
    if (!wish) return;
    await act(() => call("POST", "/v1/drains", { selector: { worker: w.id }, policy: wish.policy, deadline_ms: wish.deadline ? Math.round(60000 * wish.deadline) : 0, force: wish.force }));
  }

  read();
  readNodes();
  const timers = [setInterval(read, 5000), setInterval(readNodes, 2000)];
  let soon = null;
  const stop = onEvent((e) => { if (e.worker === id && !soon) soon = setTimeout(() => { soon = null; read(); }, 300); });
  return { el, update, end() { timers.forEach(clearInterval); stop(); clearTimeout(soon); load.destroy(); logs.forEach((l) => l.end()); } };
}

// nodeOf is a node whose log can be followed.
function nodeOf(path, node) {
  const state = h("span", {});
  const text = h("pre", { class: "log", tabindex: "0", hidden: true, "aria-label": `Log of ${node}` });
  let timer = null;
  let offset = -4000;
  async function more() {
    try {
      const part = await query(`${path}/nodes/${encodeURIComponent(node)}/log`, { offset });
      const atEnd = text.scrollTop + text.clientHeight >= text.scrollHeight - 8;
      offset = part.next;
      text.append(part.data);
      if (text.textContent.length > 200000) text.textContent = text.textContent.slice(-100000);
      if (atEnd) text.scrollTop = text.scrollHeight;
      if (part.ended && part.data === "") { clearInterval(timer); timer = null; text.append("\n— ended —"); }
    } catch (err) { clearInterval(timer); timer = null; text.append(`\n— ${err.message} —`); }
  }
  const button = h("button", { type: "button", "aria-expanded": "false", onclick: () => {
    text.hidden = !text.hidden;
    button.setAttribute("aria-expanded", String(!text.hidden));
    set(button, text.hidden ? "Follow log" : "Hide log");
    clearInterval(timer);
    timer = null;
    if (!text.hidden) { more(); timer = setInterval(more, 700); }
  } }, "Follow log");
  const about = h("span", { class: "muted" });
  const el = h("div", { class: "group" }, h("div", { class: "head" }, h("span", { class: "mono" }, node), state, about, h("span", { class: "grow" }), button), text);
  return {
    el, open: () => !text.hidden, end: () => clearInterval(timer),
    show(n) { replace(state, badge(n.state, n.state === "busy" ? "ok" : "")); set(about, [n.tasks.join(", "), n.status].filter(Boolean).join(" · ")); },
  };
}
