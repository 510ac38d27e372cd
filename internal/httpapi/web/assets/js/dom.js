// Building elements. Text is always text: nothing of the cluster becomes markup.

export function h(tag, props, ...children) {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) el.addEventListener(name.slice(2), value);
    else if (name === "class") el.className = value;
    else el.setAttribute(name, value === true ? "" : value);
  }
  el.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
  return el;
}

// set replaces the text of an element only where it differs, so that nothing is painted
// or announced for nothing.
export function set(el, text) {
  if (el.textContent !== text) el.textContent = text;
}

export function replace(el, ...children) {
  el.replaceChildren(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
}

export const percent = (x) => `${(100 * x).toFixed(x < 0.0995 && x > 0 ? 1 : 0)} %`;
export const clock = (ms) => new Date(ms).toLocaleTimeString([], { hour12: false });
export const plural = (n, one, many = one + "s") => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

// ago is a span of milliseconds in words.
export function span(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

export const level = (load, limit) => {
  const x = limit > 0 ? load / limit : load;
  return x < 0.3 ? "l0" : x < 0.6 ? "l1" : x < 0.8 ? "l2" : x < 0.95 ? "l3" : "l4";
};

export const link = {
  worker: (id) => `#/worker/${encodeURIComponent(id)}`,
  task: (purpose, task) => `#/task/${encodeURIComponent(purpose)}/${encodeURIComponent(task)}`,
};
export const workerLink = (id) => h("a", { href: link.worker(id), class: "mono", title: id }, id);
export const taskLink = (purpose, task) => h("a", { href: link.task(purpose, task), title: `${purpose} ${task}` }, task);

const kinds = { ready: "ok", "in-service": "ok", running: "ok", leader: "ok", empty: "ok", full: "warn", reserved: "", draining: "warn", cordoned: "warn", initializing: "warn", "not-ready": "bad", "no-quorum": "bad", candidate: "bad" };
export const badge = (text, kind) => h("span", { class: `badge ${kind ?? kinds[text] ?? ""}` }, text);

export function bar(share, cls) {
  const fill = h("i", { class: cls });
  fill.style.width = `${Math.min(100, Math.max(0, 100 * share))}%`;
  return h("div", { class: "bar", "aria-hidden": "true" }, fill);
}
