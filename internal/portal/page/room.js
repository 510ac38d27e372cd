import { Media } from "./media.js";
import { Signal } from "./signal.js";
import { Tiles } from "./tiles.js";

const $ = (id) => document.getElementById(id);
const token = new URLSearchParams(location.hash.slice(1)).get("token") || "";
const claims = read(token);
const presenter = claims.role === "presenter";

let signal;
let media;
let tiles;
let state = { participants: [], part: {} };
let unread = 0;

// read is what a token says of itself. The portal checks it.
function read(token) {
  try {
    const part = token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(part), (c) => c.charCodeAt(0))));
  } catch {
    return {};
  }
}

function problem(text) {
  $("problem").textContent = text;
  $("problem").hidden = !text;
}

function status(text) {
  $("status").textContent = text;
}

function greet() {
  const room = claims.room || decodeURIComponent(location.pathname.split("/")[2] || "");
  document.title = room ? `${room} · room` : "Room";
  $("name").textContent = room || "Room";
  $("greeting").textContent = claims.sub ? `Join ${room} as ${claims.sub}` : "Join the room";
  $("devices").hidden = !presenter;
  if (!token) {
    problem("This link has no token. Ask for one: muster token ROOM USER");
    $("join").disabled = true;
  }
}

// own are our tracks, by source.
const own = new Map();

function announce() {
  const tracks = [];
  for (const [source, track] of own) tracks.push({ source, muted: !track.enabled });
  signal.publish(tracks);
  show();
  for (const source of ["mic", "camera", "screen"]) {
    const track = own.get(source);
    $(source).setAttribute("aria-pressed", String(Boolean(track && track.enabled)));
  }
}

async function capture(source) {
  if (source === "screen") return navigator.mediaDevices.getDisplayMedia({ video: true });
  if (source === "mic") return navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: true } });
  return navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 }, height: { ideal: 720 } } });
}

// begin sends something of ours.
async function begin(source) {
  let stream;
  try {
    stream = await capture(source);
  } catch (err) {
    status(`No ${source}: ${err.message}`);
    return;
  }
  const track = stream.getTracks()[0];
  if (source === "screen") track.contentHint = "detail";
  track.onended = () => end(source);
  own.set(source, track);
  announce();
  await media.set(source, track);
}

function end(source) {
  const track = own.get(source);
  if (!track) return;
  track.onended = null;
  track.stop();
  own.delete(source);
  announce();
  media.set(source, null);
}

// toggle: the microphone is muted, so that it is back at once; a camera and a
// screen are really off.
function toggle(source) {
  const track = own.get(source);
  if (source === "mic" && track) {
    track.enabled = !track.enabled;
    announce();
    return;
  }
  if (track) end(source);
  else begin(source);
}

// whole adds the people of whom a conference that has just begun may not have
// heard yet.
function whole(now, before) {
  if (now.settled) return now;
  const missing = before.participants.filter((p) => !now.participants.some((other) => other.id === p.id));
  return { ...now, participants: [...now.participants, ...missing] };
}

// toggleRecording has the room recorded, or not any more. The state says what
// became of it.
function toggleRecording() {
  signal.request("record", { on: !state.recording?.on }).catch((err) => status(err.message));
}

// showRecording: everybody sees that the room is recorded, and who said so.
function showRecording() {
  const { on = false, by = "", node = "" } = state.recording || {};
  $("record").setAttribute("aria-pressed", String(on));
  $("recording").hidden = !on;
  const text = node ? `● Recorded, as ${by} wished` : `○ Recording begins, as ${by} wished`;
  if (on && $("recording").textContent !== text) $("recording").textContent = text;
}

// toggleStream asks where to stream the room to, or ends its stream.
function toggleStream() {
  if (!state.streaming?.on) {
    $("stream-problem").hidden = true;
    $("stream-to").showModal();
    return;
  }
  signal.request("stream", { on: false }).catch((err) => status(err.message));
}

// beginStream closes the dialog when the order was taken. The field is emptied, as it
// has a key in it.
async function beginStream() {
  try {
    await signal.request("stream", { on: true, output: $("stream-url").value.trim(), layout: $("stream-layout").value });
  } catch (err) {
    $("stream-problem").textContent = err.message;
    $("stream-problem").hidden = false;
    return;
  }
  $("stream-url").value = "";
  $("stream-to").close();
}

// showStreaming: everybody sees that the room is streamed, where to, and who said so.
function showStreaming() {
  const { on = false, by = "", node = "", to = "" } = state.streaming || {};
  $("stream").setAttribute("aria-pressed", String(on));
  $("streaming").hidden = !on;
  const text = node ? `● Streamed to ${to}, as ${by} wished` : `○ Streaming begins, as ${by} wished`;
  if (on && $("streaming").textContent !== text) $("streaming").textContent = text;
}

function show() {
  showRecording();
  showStreaming();
  tiles.show(state, signal.you, own);
  const n = state.participants.length;
  status(n === 1 ? "You are alone here" : `${n} people`);
}

function say(from, text) {
  const line = document.createElement("li");
  const who = document.createElement("b");
  who.textContent = from;
  line.append(who, text);
  $("messages").append(line);
  line.scrollIntoView({ block: "end" });
  if (!$("panel").hidden) return;
  unread++;
  $("unread").textContent = String(unread);
  $("unread").hidden = false;
}

function chat() {
  const panel = $("panel");
  panel.hidden = !panel.hidden;
  $("chat").setAttribute("aria-expanded", String(!panel.hidden));
  unread = 0;
  $("unread").hidden = true;
  (panel.hidden ? $("chat") : $("text")).focus();
}

async function enter() {
  problem("");
  $("join").disabled = true;
  signal = new Signal(token);
  media = new Media(signal, presenter);
  tiles = new Tiles($("stage"), (view) => media.look(view));
  media.addEventListener("track", (e) => tiles.arrive(e.detail.id, e.detail.track));
  signal.addEventListener("state", (e) => {
    state = whole(e.detail, state);
    if (state.part.id) signal.part = state.part.id;
    media.take(state);
    show();
  });
  signal.addEventListener("speakers", (e) => tiles.speaking(e.detail.tracks || []));
  signal.addEventListener("text", (e) => say(e.detail.user, e.detail.text));
  signal.addEventListener("lost", () => status("Reconnecting…"));
  signal.addEventListener("refused", (e) => {
    problem(e.detail);
    leave();
  });
  signal.addEventListener("joined", () => {
    $("lobby").hidden = true;
    $("room").hidden = $("tools").hidden = false;
  }, { once: true });
  for (const id of ["mic", "camera", "screen", "record", "stream"]) $(id).hidden = !presenter;
  expose();
  const started = [];
  if (presenter && $("with-mic").checked) started.push(begin("mic"));
  if (presenter && $("with-camera").checked) started.push(begin("camera"));
  signal.run();
  await Promise.all(started);
}

function leave() {
  for (const track of own.values()) {
    track.onended = null;
    track.stop();
  }
  own.clear();
  signal.leave();
  media.close();
  tiles.clear();
  $("lobby").hidden = false;
  $("room").hidden = $("tools").hidden = true;
  $("join").disabled = !token;
  status("");
  $("join").focus();
}

// expose lets a console, and the tests, see what the page knows.
function expose() {
  window.musterRoom = {
    get you() { return signal.you; },
    get state() { return state; },
    get node() { return media.node; },
    get moves() { return media.moves; },
    get portal() { return signal.socket ? signal.here : ""; },
    get portals() { return signal.portals; },
    get pictures() {
      return [...tiles.tiles].map(([key, t]) => ({
        key, id: t.id, frames: t.frames, gap: t.gap, height: t.video ? t.video.videoHeight : 0, since: t.last ? performance.now() - t.last : -1,
      }));
    },
    get speaking() { return [...document.querySelectorAll(".tile.speaking")].map((b) => b.dataset.key); },
    paths() { return Promise.all([media.up, media.down].filter(Boolean).map((peer) => peer.path())); },
    reset() { for (const t of tiles.tiles.values()) t.gap = 0; },
  };
}

$("enter").addEventListener("submit", (e) => {
  e.preventDefault();
  enter();
});
$("write").addEventListener("submit", (e) => {
  e.preventDefault();
  const text = $("text").value.trim();
  if (!text) return;
  signal.request("text", { text }).then(() => { $("text").value = ""; }, (err) => status(err.message));
});
for (const source of ["mic", "camera", "screen"]) $(source).addEventListener("click", () => toggle(source));
$("record").addEventListener("click", toggleRecording);
$("stream").addEventListener("click", toggleStream);
$("stream-cancel").addEventListener("click", () => $("stream-to").close());
$("stream-form").addEventListener("submit", (e) => {
  e.preventDefault();
  beginStream();
});
$("chat").addEventListener("click", chat);
$("leave").addEventListener("click", leave);
document.addEventListener("keydown", (e) => {
  if ($("tools").hidden || e.ctrlKey || e.metaKey || e.altKey) return;
  if (e.key === "Escape" && !$("panel").hidden) chat();
  if (e.target instanceof HTMLInputElement || $("stream-to").open) return;
  const press = { m: "mic", c: "camera", s: "screen", r: "record", b: "stream", t: "chat" }[e.key];
  if (press && !$(press).hidden) {
    e.preventDefault();
    $(press).click();
  }
  if (e.key === "L") leave();
});
window.addEventListener("pagehide", () => signal && signal.leave());
greet();
