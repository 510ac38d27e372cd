// The people on the stage.

// Tiles shows a tile for each person's camera, and one for each shared screen.
export class Tiles {
  constructor(stage, onview) {
    this.stage = stage;
    this.onview = onview;
    this.tiles = new Map(); // by "participant" or track id of a screen
    this.sounds = new Map();
    this.media = new Map(); // tracks that came, by id
    this.sizes = new ResizeObserver(() => this.look());
  }

  // show lays out what the state says.
  show(state, you, own) {
    const there = new Set();
    const audible = new Set();
    for (const p of state.participants) {
      const mine = p.id === you;
      const tracks = p.tracks || [];
      const mic = tracks.find((t) => t.source === "mic");
      const camera = tracks.find((t) => t.source === "camera");
      const screen = tracks.find((t) => t.source === "screen");
      there.add(p.id);
      const tile = this.tile(p.id, p.user, mine ? "mirror" : "");
      tile.who.textContent = p.user + (mine ? " (you)" : "") + (mic && !mic.muted ? "" : " · muted");
      this.picture(tile, camera && !camera.muted ? camera.id : "", mine ? own.get("camera") : undefined);
      if (screen) {
        there.add(screen.id);
        const wide = this.tile(screen.id, p.user, "wide");
        wide.who.textContent = `${p.user} shares a screen`;
        this.picture(wide, screen.id, mine ? own.get("screen") : undefined);
      }
      for (const t of tracks) if (!mine && (t.source === "mic" || t.source === "sound")) audible.add(t.id);
    }
    for (const [key, tile] of this.tiles) {
      if (there.has(key)) continue;
      tile.box.remove();
      this.sizes.unobserve(tile.box);
      this.tiles.delete(key);
    }
    for (const [id, sound] of this.sounds) {
      if (audible.has(id)) continue;
      sound.remove();
      this.sounds.delete(id);
      this.media.delete(id);
    }
    this.look();
  }

  tile(key, user, kind) {
    let tile = this.tiles.get(key);
    if (tile) return tile;
    const box = document.createElement("section");
    box.className = `tile ${kind}`;
    box.dataset.key = key;
    box.setAttribute("aria-label", user);
    const initial = document.createElement("span");
    initial.className = "initial";
    initial.setAttribute("aria-hidden", "true");
    initial.textContent = (user || "?").trim().charAt(0).toUpperCase();
    const who = document.createElement("span");
    who.className = "who";
    box.append(initial, who);
    tile = { box, who, id: "", video: null, frames: 0, gap: 0, last: 0 };
    this.tiles.set(key, tile);
    if (kind === "wide") this.stage.prepend(box);
    else this.stage.append(box);
    this.sizes.observe(box);
    return tile;
  }

  // picture shows a track in a tile; "" is none.
  picture(tile, id, own) {
    tile.id = id;
    const track = own || this.media.get(id);
    if (!id || !track) {
      if (!id && tile.video) {
        tile.video.remove();
        tile.video = null;
        tile.shown = null;
        tile.newest = null;
        tile.last = 0;
      }
      return;
    }
    if (tile.shown === track && tile.video) return;
    tile.shown = track;
    const video = document.createElement("video");
    video.muted = true;
    video.autoplay = true;
    video.playsInline = true;
    video.srcObject = new MediaStream([track]);
    tile.newest = video;
    tile.box.prepend(video);
    if (!tile.video) tile.video = video;
    // The old picture stays until the new one has a frame.
    const frame = () => {
      if (tile.newest !== video && tile.video !== video) {
        video.remove();
        return;
      }
      if (tile.newest === video && tile.video !== video) {
        if (tile.video) tile.video.remove();
        tile.video = video;
      }
      const now = performance.now();
      if (tile.last) tile.gap = Math.max(tile.gap, now - tile.last);
      tile.last = now;
      tile.frames++;
      video.requestVideoFrameCallback(frame);
    };
    video.requestVideoFrameCallback(frame);
    video.play().catch(() => {});
  }

  // arrive takes a track that an SFU sends.
  arrive(id, track) {
    this.media.set(id, track);
    if (track.kind === "audio") {
      const sound = document.createElement("audio");
      sound.autoplay = true;
      sound.srcObject = new MediaStream([track]);
      const old = this.sounds.get(id);
      this.sounds.set(id, sound);
      document.body.append(sound);
      sound.play().catch(() => {});
      // The old sound stays until the new one has a packet.
      if (old && track.muted) track.addEventListener("unmute", () => old.remove(), { once: true });
      else if (old) old.remove();
      return;
    }
    for (const tile of this.tiles.values()) if (tile.id === id) this.picture(tile, id);
  }

  speaking(tracks) {
    const who = new Set(tracks.map((id) => id.split(".")[0]));
    for (const [key, tile] of this.tiles) tile.box.classList.toggle("speaking", who.has(key));
  }

  // look says how high each picture is on the screen.
  look() {
    clearTimeout(this.late);
    this.late = setTimeout(() => {
      const view = {};
      for (const tile of this.tiles.values()) {
        if (tile.id) view[tile.id] = Math.round(tile.box.clientHeight * devicePixelRatio);
      }
      const said = JSON.stringify(view);
      if (said === this.said) return;
      this.said = said;
      this.onview(view);
    }, 150);
  }

  clear() {
    for (const tile of this.tiles.values()) tile.box.remove();
    for (const sound of this.sounds.values()) sound.remove();
    this.tiles.clear();
    this.sounds.clear();
  }
}
