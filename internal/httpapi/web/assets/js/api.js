// Talking to the cluster. The page knows the addresses of all its servers: when the one
// that it uses does not answer, it goes on with the next.

const tokenKey = "muster-token";
const answerTime = 4000; // milliseconds until another server is tried
const connectTime = 1500;
const silence = 14000; // a stream says something every 10 s

export class Problem extends Error {
  constructor(status, body) {
    super(body?.detail ?? `the server answered ${status}`);
    this.status = status;
    this.code = body?.code;
    this.why = body?.why;
  }
}

let servers = [location.origin];
let current = location.origin;

export const server = () => current;

// know takes the addresses that the cluster says it has.
export function know(urls) {
  servers = [...new Set([location.origin, current, ...urls])];
}

export const signIn = (token) => sessionStorage.setItem(tokenKey, token);

function headers(more) {
  const token = sessionStorage.getItem(tokenKey);
  return { ...(token ? { Authorization: `Bearer ${token}` } : {}), ...more };
}

async function problemOf(response) {
  let body = null;
  try { body = await response.json(); } catch { /* not JSON: the status says it */ }
  if (response.status === 401) document.dispatchEvent(new CustomEvent("muster-sign-in", { detail: body?.detail }));
  return new Problem(response.status, body);
}

export async function call(method, path, body) {
  const response = await fetch(current + path, {
    method, headers: headers(body ? { "Content-Type": "application/json" } : {}),
    body: body ? JSON.stringify(body) : undefined, signal: AbortSignal.timeout(answerTime), cache: "no-store",
  });
  if (!response.ok) throw await problemOf(response);
  return response.status === 204 ? null : response.json();
}

export const get = (path) => call("GET", path);
export const query = (path, params) => {
  const text = new URLSearchParams(Object.entries(params).filter(([, v]) => v !== "" && v !== undefined && v !== null)).toString();
  return get(text ? `${path}?${text}` : path);
};

// every reads a list to its end, a page at a time.
export async function* every(path, member, params = {}) {
  for (let after = ""; ;) {
    const page = await query(path, { ...params, limit: 1000, after });
    yield page[member];
    if (!page.next) return;
    after = page.next;
  }
}

// follow reads the stream of events for as long as the page is open. onEvent gets each
// event, onLink each change of the connection: {up, server, from}.
export async function follow(onEvent, onLink) {
  let last = "";
  let failures = 0;
  let from = null;
  for (;;) {
    const stop = new AbortController();
    let watchdog = setTimeout(() => stop.abort(), connectTime);
    try {
      const response = await fetch(`${current}/v1/events${last ? "" : "?recent=200"}`, {
        headers: headers({ Accept: "text/event-stream", ...(last ? { "Last-Event-ID": last } : {}) }), signal: stop.signal, cache: "no-store",
      });
      if (!response.ok) throw await problemOf(response);
      failures = 0;
      onLink({ up: true, server: current, from });
      from = null;
      for await (const event of events(response.body, () => {
        clearTimeout(watchdog);
        watchdog = setTimeout(() => stop.abort(), silence);
      })) {
        if (event.id) last = event.id;
        onEvent(event);
      }
    } catch (err) {
      if (err instanceof Problem && err.status === 401) {
        onLink({ up: false, server: current, denied: true });
        await new Promise((again) => document.addEventListener("muster-signed-in", again, { once: true }));
        continue;
      }
    } finally {
      clearTimeout(watchdog);
      stop.abort();
    }
    from ??= current;
    onLink({ up: false, server: current });
    current = servers[(servers.indexOf(current) + 1) % servers.length];
    failures++;
    if (failures % servers.length === 0) await new Promise((again) => setTimeout(again, Math.min(2000, 200 * failures)));
  }
}

// events parses a stream of server-sent events.
async function* events(body, alive) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    alive();
    text += value;
    for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) {
      const event = { id: "", name: "", data: "" };
      for (const line of text.slice(0, end).split("\n")) {
        if (line.startsWith("id: ")) event.id = line.slice(4);
        else if (line.startsWith("event: ")) event.name = line.slice(7);
        else if (line.startsWith("data: ")) event.data += line.slice(6);
      }
      if (event.name) yield { id: event.id, name: event.name, data: JSON.parse(event.data) };
    }
  }
}
