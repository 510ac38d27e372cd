// One task: where it is, what happened to it, and why it is there.
import { call, get, query } from "./api.js";
import { badge, h, percent, replace, span, workerLink } from "./dom.js";
import { confirm } from "./dialog.js";
import { line } from "./events.js";
import { onEvent, store } from "./store.js";

export function task(_, purpose, name) {
  const path = `/v1/tasks/${encodeURIComponent(purpose)}/${encodeURIComponent(name)}`;
  const state = h("span", {});
  const actions = h("div", { class: "tools" });
  const facts = h("dl", { class: "facts" });
  const why = h("div", { id: "why" });
  const story = h("ol", { class: "feed" });
  const el = h("div", {},
    h("div", { class: "head" }, h("h1", {}, name), badge(purpose), state, h("span", { class: "grow" }), actions),
    h("section", { class: "panel", "aria-label": "Where it is" }, facts),
    h("div", { class: "cols" }, h("section", { class: "panel", "aria-label": "Why" }, h("h2", {}, "Why"), why),
      h("section", { class: "panel", "aria-label": "Story" }, h("h2", {}, "What happened to it"), story)));

  let there = null;
  async function read() {
    const [is, because, past] = await Promise.allSettled([query("/v1/tasks", { purpose, task: name, limit: 1 }), get(`${path}/why`), get(`${path}/story`)]);
    there = is.status === "fulfilled" ? is.value.tasks[0] ?? null : null;
    if (because.status === "fulfilled") replace(why, explain(because.value));
    else replace(why, h("p", { class: "muted" }, because.reason.code === "no-task" ? "The managers no longer remember the decision." : because.reason.message));
    if (past.status === "fulfilled") replace(story, past.value.events.map(line));
    if (!story.childElementCount) replace(story, h("li", { class: "muted" }, h("span", {}), "Nothing is remembered of it."));
    replace(state, there ? badge(there.state) : badge("on no worker", "bad"));
    show();
  }
  function show() {
    replace(facts, there ? [["Worker", workerLink(there.worker)], ["Placement", there.placement || "–"],
      ["Reservation", there.until ? `${span(there.until - Date.now())} left` : "picked up"]].map(([k, v], i) => h("div", { class: i ? "" : "wide-fact" }, h("dt", {}, k), h("dd", {}, v)))
      : h("div", {}, h("dt", {}, "Worker"), h("dd", {}, "none")));
    const may = there && ["caller", "operator", "admin"].includes(store.status?.role);
    if (!may) replace(actions);
    else if (!actions.firstChild) replace(actions, h("button", { type: "button", class: "danger", onclick: release }, "Give the placement up"));
  }
  async function release() {
    if (!await confirm({ title: `Give up ${purpose} ${name}?`, text: "A reservation ends at once. A task that runs goes on, and is forgotten when its worker ends it.", yes: "Give up" })) return;
    try { await call("DELETE", `/v1/placements/${encodeURIComponent(purpose)}/${encodeURIComponent(name)}`); } catch (err) { await confirm({ title: "Refused", text: err.message, yes: "Close", only: true }); }
    read();
  }
  read();
  const timer = setInterval(read, 5000);
  let soon = null;
  const stop = onEvent((e) => { if (e.task === name && e.purpose === purpose && !soon) soon = setTimeout(() => { soon = null; read(); }, 200); });
  return { el, update() { if (there?.until) show(); }, end() { clearInterval(timer); clearTimeout(soon); stop(); } };
}

// explain shows each rule with what it excluded, and the scores of the best.
export function explain(e) {
  const when = `${span(Date.now() - e.at)} ago`;
  const out = [h("p", {}, e.chosen ? [`Placed on `, workerLink(e.chosen.worker), `, ${when}: ${e.candidates} of ${e.workers} workers could take it, and ${e.strategy} took the first.`]
    : [badge("refused", "bad"), ` ${when}: ${e.reason}`])];
  if (e.ignored.length) out.push(h("p", { class: "muted" }, `Ignored in its preference, since unknown: ${e.ignored.join(", ")}`));
  if (e.excluded.length) {
    out.push(h("h3", {}, `Excluded: ${e.workers - e.candidates} of ${e.workers} workers`), h("div", { class: "scroll" }, h("table", { class: "plain-table" },
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Rule"), h("th", { scope: "col", class: "num" }, "Workers"), h("th", { scope: "col" }, "Which"))),
      h("tbody", {}, e.excluded.map((x) => h("tr", {}, h("td", {}, badge(x.rule, "warn")), h("td", { class: "num" }, x.workers), h("td", {}, x.meaning)))))));
  }
  if (e.chosen) {
    out.push(h("h3", {}, "The best of them"), h("div", { class: "scroll" }, h("table", { class: "plain-table" },
      h("thead", {}, h("tr", {}, ["Worker", "Load", "Debit", "Score"].map((t, i) => h("th", { scope: "col", class: i ? "num" : "" }, t)))),
      h("tbody", {}, [e.chosen, ...e.others].map((c, i) => h("tr", {}, h("td", {}, workerLink(c.worker), i ? null : [" ", badge("chosen", "ok")]),
        h("td", { class: "num" }, percent(c.load)), h("td", { class: "num" }, percent(c.debit)), h("td", { class: "num" }, Number(c.score.toPrecision(4)))))))));
  }
  return out;
}
