// What the page knows of the cluster, kept up to date by the stream of events. Views are
// painted at most ten times a second, however much happens.
import { every, follow, get, know } from "./api.js";

const paintEvery = 100;
const keepEvents = 2000;
const reloadEvery = 3000; // the least time between two reads of all workers
const trueUp = 20000; // counts drift with skipped events: read all again

export const store = {
  status: null, workers: new Map(), loaded: false, events: [], drains: [],
  placed: 0, refused: 0, term: 0, link: { up: false }, error: "",
  read: Date.now(), // when the status was read last
  members: 0, // counts changes of who the workers are
};

let paint = () => {};
let waiting = false;
let painted = 0;

export function onPaint(f) { paint = f; }

export function changed() {
  if (waiting) return;
  waiting = true;
  setTimeout(() => requestAnimationFrame(() => {
    waiting = false;
    painted = performance.now();
    paint();
  }), Math.max(0, paintEvery - (performance.now() - painted)));
}

const dirty = new Set();
let dirtyTimer = null;
let reloading = null;
let reloaded = 0;

// touch has a worker read again soon.
function touch(id) {
  if (!id) return;
  dirty.add(id);
  dirtyTimer ??= setTimeout(refresh, 400);
}

async function refresh() {
  dirtyTimer = null;
  const ids = [...dirty];
  dirty.clear();
  if (ids.length > 8) return reload();
  await Promise.allSettled(ids.map(async (id) => {
    try {
      keep(await get(`/v1/workers/${encodeURIComponent(id)}`));
    } catch (err) {
      if (err.code === "unknown-worker") drop(id);
    }
  }));
  changed();
}

function keep(w) {
  const known = store.workers.get(w.id);
  if (!known || known.purpose !== w.purpose || (known.regions[0] ?? "") !== (w.regions[0] ?? "")) store.members++;
  store.workers.set(w.id, w);
}

function drop(id) {
  if (store.workers.delete(id)) store.members++;
}

// reload reads all workers, not more often than reloadEvery.
export function reload() {
  reloading ??= (async () => {
    const wait = reloadEvery - (Date.now() - reloaded);
    if (wait > 0) await new Promise((go) => setTimeout(go, wait));
    reloaded = Date.now();
    try {
      const seen = new Set();
      for await (const page of every("/v1/workers", "workers")) {
        for (const w of page) { keep(w); seen.add(w.id); }
        changed();
      }
      for (const id of store.workers.keys()) if (!seen.has(id)) drop(id);
      store.loaded = true;
      store.error = "";
    } catch (err) { store.error = err.message; }
    reloading = null;
    changed();
  })();
  return reloading;
}

export async function readStatus() {
  try {
    store.status = await get("/v1/status");
    store.read = Date.now();
    know(store.status.servers.map((s) => s.url));
    store.term = Math.max(store.term, ...store.status.managers.map((m) => m.term));
    store.error = "";
  } catch (err) { store.error = err.message; }
  changed();
}

export async function readDrains() {
  try {
    store.drains = (await get("/v1/drains")).drains;
  } catch { /* those of before are shown: the head says that they are old */ }
  changed();
}

// rates are smoothed over the last seconds.
const recent = [];
function rate(data) {
  recent.push(data);
  while (recent.length > 0 && recent[0].at < data.at - 5000) recent.shift();
  const seconds = Math.max(1, (data.at - recent[0].at) / 1000);
  const sum = (member) => recent.reduce((n, r) => n + r[member], 0);
  store.placed = sum("placed") / seconds;
  store.refused = sum("refused") / seconds;
  store.term = data.term;
}

const seenIds = new Set();

function apply(event) {
  const { name, data } = event;
  if (name === "loads") {
    for (const [id, load] of Object.entries(data.loads)) {
      const w = store.workers.get(id);
      if (w) { w.load = load; if (w.status === "ready" || w.status === "full") w.status = load >= w.max_load ? "full" : "ready"; }
    }
  } else if (name === "rates") {
    rate(data);
  } else if (name === "reset") {
    reload(); readStatus();
  } else if (event.id && !seenIds.has(event.id)) {
    seenIds.add(event.id);
    if (seenIds.size > 4 * keepEvents) seenIds.clear();
    store.events.push({ id: event.id, ...data });
    if (store.events.length > keepEvents + 500) store.events.splice(0, 500);
    if (name === "worker.left") drop(data.worker);
    else touch(data.worker);
    if (name === "leader") readStatus();
    if (name === "drain.ended") reload(); // it does not name its workers
    if (name.startsWith("drain") || name.startsWith("worker.drain") || name.startsWith("worker.cordon")) readDrains();
    listeners.forEach((f) => f({ name, ...data }));
  }
  changed();
}

const listeners = new Set();
export function onEvent(f) { listeners.add(f); return () => listeners.delete(f); }

export function start(linked) {
  follow(apply, (link) => {
    store.link = link;
    linked(link);
    if (link.up) { readStatus(); reload(); readDrains(); }
    changed();
  });
  setInterval(readStatus, 2000);
  setInterval(() => { if (Date.now() - reloaded > trueUp) reload(); }, 5000);
  setInterval(readDrains, 5000);
}
