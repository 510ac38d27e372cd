// What happened, in words.
import { badge, clock, h, taskLink, workerLink } from "./dom.js";

const task = (e) => [`${e.purpose} `, taskLink(e.purpose, e.task)];
const on = (e) => (e.worker ? [" on ", workerLink(e.worker)] : []);

const drain = (e) => h("a", { href: "#/drains" }, `number ${e.drain}`);
const rules = (e) => Object.entries(e.excluded ?? {}).map(([rule, n]) => `${rule} ${n}`).join(", ");

const words = {
  "worker.joined": (e) => [badge("joined", "ok"), " ", workerLink(e.worker), ` for ${e.purpose}`],
  "worker.left": (e) => [badge(e.reason === "lost" ? "lost" : "left", "bad"), ` ${e.worker} (${e.reason})`],
  "worker.state": (e) => [badge(e.state), " ", workerLink(e.worker)],
  "worker.drained": (e) => [badge("draining", "warn"), " ", workerLink(e.worker)],
  "worker.undrained": (e) => [badge("undrained", "ok"), " ", workerLink(e.worker)],
  "worker.cordoned": (e) => [badge("cordoned", "warn"), " ", workerLink(e.worker)],
  "worker.uncordoned": (e) => [badge("uncordoned", "ok"), " ", workerLink(e.worker)],
  "task.placed": (e) => [badge("placed"), " ", ...task(e), ...on(e)],
  "task.refused": (e) => [badge("refused", "bad"), " ", ...task(e), h("div", { class: "muted" }, e.reason, e.workers ? ` Of ${e.workers} workers excluded: ${rules(e)}.` : "")],
  "task.claimed": (e) => [badge("claimed"), " ", ...task(e), ...on(e)],
  "task.running": (e) => [badge("running"), " ", ...task(e), ...on(e)],
  "task.laid-down": (e) => [badge("ended", ""), " ", ...task(e), ...on(e)],
  "task.released": (e) => [badge("released", e.reason === "worker-left" ? "bad" : ""), " ", ...task(e), ` (${e.reason})`],
  "task.pick-up-refused": (e) => [badge("pick-up refused", "warn"), " ", ...task(e), ...on(e), " is on ", workerLink(e.holder)],
  "purpose.forgotten": (e) => [badge("forgotten"), ` purpose ${e.purpose}`],
  leader: (e) => [badge("leader", "ok"), ` ${e.holder || "the manager"} leads, term ${e.term}`],
  reset: () => [badge("gap", "warn"), " some events are missing here"],
  order: (e) => [badge("operator"), ` ${e.detail?.by?.name ?? ""}: ${e.detail?.action ?? ""} ${e.detail?.target ?? ""}`],
  "drain.began": (e) => [badge("drain", "warn"), " ", drain(e), ` began: ${e.reason ?? ""}`],
  "drain.overdue": (e) => [badge("drain", "bad"), " ", drain(e), " is overdue"],
  "drain.empty": (e) => [badge("drain", "ok"), " ", drain(e), " is empty"],
  "drain.ended": (e) => [badge("drain"), " ", drain(e), ` ${e.state}`],
  debit: (e) => [badge("debit"), ` ${e.state || "as configured"}`],
  strategy: (e) => [badge("strategy"), ` ${e.purpose}: ${e.state || "as configured"}`],
};

export const sentence = (e) => (words[e.type] ?? (() => [badge(e.type), ` ${e.worker ?? ""} ${e.reason ?? ""}`]))(e);

export const line = (e) => h("li", {}, h("time", { datetime: new Date(e.at).toISOString() }, clock(e.at)), h("div", {}, sentence(e)));

// feed shows the last events; only what is new is added.
export function feed(most, wanted = () => true) {
  const el = h("ol", { class: "feed" });
  const none = h("p", { class: "muted" }, "Nothing happened yet.");
  const box = h("div", {}, none, el);
  let last = null;
  return {
    el: box,
    clear() { last = null; el.replaceChildren(); },
    show(events) {
      const fresh = [];
      for (let i = events.length - 1; i >= 0 && events[i].id !== last && fresh.length < most; i--) if (wanted(events[i])) fresh.push(events[i]);
      if (events.length) last = events.at(-1).id;
      for (const e of fresh.reverse()) el.prepend(line(e));
      while (el.childElementCount > most) el.lastElementChild.remove();
      none.hidden = el.childElementCount > 0;
    },
  };
}
