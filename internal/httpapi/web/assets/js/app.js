// The frame of the page: what is always there, and which view is shown.
import { server, signIn } from "./api.js";
import { badge, h, replace, set, span } from "./dom.js";
import { onPaint, start, store } from "./store.js";
import { fleet } from "./fleet.js";
import { task } from "./task.js";
import { tasks } from "./tasks.js";
import { activity, audit, drains, managers } from "./views.js";
import { worker } from "./worker.js";

const views = { fleet, tasks, activity, managers, drains, audit, worker, task };
const tabs = [["fleet", "Fleet"], ["tasks", "Tasks"], ["activity", "Decisions"], ["managers", "Managers"], ["drains", "Drains"], ["audit", "Audit"]];
const $ = (id) => document.getElementById(id);
const oldAfter = 8000; // the status is read every 2 s
let view = null;

function route() {
  const [path, search] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...rest] = (path || "fleet").split("/");
  const make = views[name] ?? fleet;
  view?.end();
  view = make(new URLSearchParams(search), ...rest.map(decodeURIComponent));
  replace($("main"), view.el);
  const tab = { worker: "fleet", task: "tasks" }[name] ?? (views[name] ? name : "fleet");
  replace($("tabs"), tabs.map(([id, title]) => h("a", { href: `#/${id}`, "aria-current": id === tab ? "page" : null }, title)));
  document.title = `Muster: ${rest.at(-1) ? decodeURIComponent(rest.at(-1)) : tabs.find(([id]) => id === tab)[1]}`;
  window.scrollTo(0, 0);
  paint();
}

const parts = { state: h("span", {}), leader: h("span", {}), free: h("span", {}), rates: h("span", { class: "wide" }), link: h("span", { id: "link" }) };
$("health").append(parts.state, parts.leader, parts.free, parts.rates, parts.link);

function paint() {
  const s = store.status;
  if (s) {
    set($("cluster"), s.cluster);
    const health = s.state !== "in-service" ? s.state : s.evictions.state === "normal" ? "in-service" : `eviction ${s.evictions.state}`;
    if (parts.state.textContent !== health) replace(parts.state, badge(health, health === "in-service" ? "ok" : s.evictions.state === "paced" ? "warn" : "bad"));
    const leader = s.managers.find((m) => m.role === "leader");
    set(parts.leader, leader ? `${leader.addr ? `Leader ${leader.addr}` : "One manager"}, term ${leader.term}` : "No leader");
    const sum = (f) => s.purposes.reduce((n, p) => n + f(p), 0);
    set(parts.free, `${sum((p) => p.ready - p.full).toLocaleString("en")} of ${sum((p) => p.workers).toLocaleString("en")} workers free`);
  }
  set(parts.rates, `${store.placed.toFixed(1)} placed/s, ${store.refused.toFixed(1)} refused/s`);
  const age = Date.now() - store.read;
  const old = store.link.up && age > oldAfter;
  const link = old ? `no answer for ${span(age)}` : store.link.up ? "live" : store.link.denied ? "sign in" : "connecting …";
  if (parts.link.textContent !== link) replace(parts.link, badge(link, store.link.up && !old ? "ok" : "warn"));
  parts.link.title = old ? store.error : "";
  view?.update();
}

let bannerTimer = null;
function linked(link) {
  const banner = $("banner");
  clearTimeout(bannerTimer);
  if (link.up && link.from && link.from !== link.server) {
    banner.className = "good";
    set(banner, `${link.from.replace(/^https?:\/\//, "")} does not answer. This page goes on with ${server().replace(/^https?:\/\//, "")}.`);
    bannerTimer = setTimeout(() => set(banner, ""), 20000);
  } else if (link.up) {
    set(banner, "");
  } else if (!link.denied && store.status && banner.className !== "good") {
    bannerTimer = setTimeout(() => { banner.className = ""; set(banner, "No server of the cluster answers. Trying again …"); }, 2500);
  }
  if (!link.up) banner.className = "";
}

document.addEventListener("muster-sign-in", (e) => {
  if (document.querySelector("dialog.sign-in")) return;
  const token = h("input", { type: "password", name: "token", autocomplete: "current-password", required: true });
  const box = h("dialog", { class: "sign-in", "aria-label": "Sign in", oncancel: (ev) => ev.preventDefault() },
    h("form", { onsubmit: (ev) => {
      ev.preventDefault();
      signIn(token.value.trim());
      box.remove();
      document.dispatchEvent(new CustomEvent("muster-signed-in"));
      route();
    } }, h("h2", {}, "Sign in"), h("p", {}, e.detail ?? ""), h("label", {}, "Token (of muster auth add)", token), h("div", { class: "actions" }, h("button", { type: "submit", class: "primary" }, "Sign in"))));
  document.body.append(box);
  box.showModal();
  token.focus();
});

const dark = matchMedia("(prefers-color-scheme: dark)");
const dress = () => { document.documentElement.dataset.theme = localStorage.getItem("muster-theme") ?? (dark.matches ? "dark" : "light"); };
dark.addEventListener("change", dress);
$("theme").addEventListener("click", () => {
  localStorage.setItem("muster-theme", document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  dress();
  route();
});

document.addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName) || document.querySelector("dialog[open]")) return;
  if (e.key === "/" && view?.focus) { e.preventDefault(); view.focus.focus(); }
  const tab = tabs[Number(e.key) - 1];
  if (tab) location.hash = `#/${tab[0]}`;
});

dress();
onPaint(paint);
addEventListener("hashchange", () => { route(); $("main").focus(); });
route();
start(linked);
