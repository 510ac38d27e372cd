// The connections to SFUs. Offers are always ours, so that none can cross: one
// connection sends, another receives.

const retryTime = 300;
// How often a connection is looked at that another is to replace, and how long
// it still lasts when everything arrives there: a picture has to be decoded.
const lookTime = 200;
const overlapTime = 1000;

// Encodings of a camera, the largest first: where there are pixels for two
// only, browsers leave out the last.
const encodings = [
  { rid: "f", maxBitrate: 2500000 },
  { rid: "h", scaleResolutionDownBy: 2, maxBitrate: 700000 },
  { rid: "q", scaleResolutionDownBy: 4, maxBitrate: 200000 },
];

// A link that ends with &relay has media go over TURN only; &relay=udp, =tcp or
// =tls says which way.
const relay = new URLSearchParams(location.hash.slice(1)).get("relay");

function configuration(iceServers) {
  const way = (url) => (url.startsWith("turns:") ? "tls" : url.split("transport=")[1]);
  return {
    bundlePolicy: "max-bundle",
    iceTransportPolicy: relay === null ? "all" : "relay",
    iceServers: iceServers.map((s) => ({ ...s, urls: s.urls.filter((url) => !relay || way(url) === relay) })).filter((s) => s.urls.length > 0),
  };
}

let count = 0;

// Peer is one PeerConnection to one SFU.
class Peer {
  constructor(signal, node, kind) {
    this.signal = signal;
    this.node = node;
    this.session = `${kind}-${signal.attach}-${++count}`;
    this.pc = new RTCPeerConnection(configuration(signal.iceServers));
    this.work = Promise.resolve();
    this.closed = false;
    this.pc.onconnectionstatechange = () => {
      if (this.pc.connectionState === "failed" && this.onfailed) this.onfailed();
    };
  }

  // then does one thing after another.
  then(f) {
    this.work = this.work.then(() => (this.closed ? undefined : f()));
    return this.work;
  }

  async offer(said) {
    await this.pc.setLocalDescription(await this.pc.createOffer());
    const a = await this.signal.request("offer", {
      node: this.node, session: this.session, sdp: this.pc.localDescription.sdp, ...said(),
    });
    if (this.closed) return;
    await this.pc.setRemoteDescription({ type: "answer", sdp: a.sdp });
  }

  change(said) {
    return this.signal.request("change", { node: this.node, session: this.session, ...said });
  }

  // path is how media go, such as "host udp" or "relay tls".
  async path() {
    const stats = await this.pc.getStats();
    const transport = [...stats.values()].find((s) => s.type === "transport");
    const pair = stats.get(transport?.selectedCandidatePairId);
    const own = stats.get(pair?.localCandidateId);
    return own ? `${own.candidateType} ${own.relayProtocol || own.protocol}` : "";
  }

  close(dead) {
    if (this.closed) return;
    this.closed = true;
    this.pc.close();
    if (!dead) this.signal.request("end", { node: this.node, session: this.session }).catch(() => {});
  }
}

// Up sends our tracks.
class Up extends Peer {
  constructor(signal, node) {
    super(signal, node, "up");
    this.senders = new Map();
  }

  publishes() {
    const publish = {};
    for (const [source, t] of this.senders) if (t.mid !== null) publish[t.mid] = t.sender.track ? source : "";
    return publish;
  }

  // send sends exactly these tracks.
  async send(tracks) {
    let fresh = false;
    for (const [source, track] of tracks) {
      const had = this.senders.get(source);
      if (had) {
        if (had.sender.track !== track) await had.sender.replaceTrack(track);
        continue;
      }
      fresh = true;
      this.senders.set(source, this.pc.addTransceiver(track, {
        direction: "sendonly", sendEncodings: source === "camera" ? encodings : undefined,
      }));
    }
    for (const [source, t] of this.senders) {
      if (!tracks.has(source) && t.sender.track) await t.sender.replaceTrack(null);
    }
    if (this.senders.size === 0) return;
    // A section without a mid is of an offer that failed.
    if (fresh || !this.pc.remoteDescription || [...this.senders.values()].some((t) => t.mid === null)) {
      await this.offer(() => ({ publish: this.publishes() }));
    } else {
      await this.change({ publish: this.publishes() });
    }
  }
}

// Down gets the tracks of others.
class Down extends Peer {
  constructor(signal, node, ontrack) {
    super(signal, node, "down");
    this.ontrack = ontrack;
    this.slots = []; // {transceiver, kind, id, shown}
  }

  // flowing are the tracks that arrive here.
  flowing() {
    return this.slots.filter((s) => s.id && !s.transceiver.receiver.track.muted).map((s) => s.id);
  }

  wants() {
    const want = {};
    for (const s of this.slots) if (s.transceiver.mid !== null) want[s.transceiver.mid] = s.id;
    return want;
  }

  // get gets exactly these: a map of ids to "audio" or "video".
  async get(wanted, view) {
    for (const s of this.slots) if (s.id && !wanted.has(s.id)) s.id = "";
    let fresh = false;
    for (const [id, kind] of wanted) {
      if (this.slots.some((s) => s.id === id)) continue;
      let slot = this.slots.find((s) => s.id === "" && s.kind === kind);
      if (!slot) {
        slot = { kind, transceiver: this.pc.addTransceiver(kind, { direction: "recvonly" }) };
        this.slots.push(slot);
        fresh = true;
      }
      slot.id = id;
    }
    if (this.slots.length === 0) return;
    const unsent = this.slots.some((s) => s.transceiver.mid === null); // of an offer that failed
    if (fresh || unsent || !this.pc.remoteDescription) await this.offer(() => ({ want: this.wants(), view }));
    else await this.change({ want: this.wants(), view });
    // Also what an earlier try has placed that failed.
    for (const s of this.slots) {
      if (s.id && s.shown !== s.id) this.ontrack(s.id, s.transceiver.receiver.track);
      s.shown = s.id;
    }
  }
}

// Media has the two connections, and moves them when the room moves.
export class Media extends EventTarget {
  constructor(signal, presenter) {
    super();
    this.signal = signal;
    this.presenter = presenter;
    this.node = "";
    this.up = null;
    this.down = null;
    this.tracks = new Map(); // ours, by source
    this.wanted = new Map();
    this.view = {};
    this.moves = 0;
    this.former = new Set(); // connections to an SFU that is being left
  }

  // take follows the state of the room.
  take(state) {
    const wanted = new Map();
    for (const p of state.participants) {
      if (p.id === this.signal.you) continue;
      for (const t of p.tracks || []) {
        wanted.set(t.id, t.source === "mic" || t.source === "sound" ? "audio" : "video");
      }
    }
    this.wanted = wanted;
    if (!state.part.drained) this.forget();
    if (state.part.node && state.part.node !== this.node) {
      this.move(state.part.node, state.part.drained);
    } else {
      this.refresh();
    }
  }

  // move makes new connections to another SFU. Where the old one still lives,
  // we go on sending there until the room says that everybody has left it, and
  // go on receiving until everything arrives from the new one.
  move(node, drained) {
    const { up, down } = this;
    if (this.node) this.moves++;
    this.node = node;
    this.connectUp();
    this.connectDown();
    this.refresh();
    for (const peer of [up, down].filter(Boolean)) {
      if (drained) this.former.add(peer);
      else peer.close(true);
    }
    if (down && drained) this.retire(down);
  }

  // retire ends a connection when what it gives arrives elsewhere.
  async retire(old) {
    const wait = (time) => new Promise((done) => setTimeout(done, time));
    const missed = () => {
      const there = this.down ? this.down.flowing() : [];
      return old.flowing().some((id) => this.wanted.has(id) && !there.includes(id));
    };
    while (!old.closed && missed()) await wait(lookTime);
    await wait(overlapTime);
    this.former.delete(old);
    old.close();
  }

  // forget ends what is left of connections to an SFU that was left.
  forget() {
    for (const peer of this.former) peer.close();
    this.former.clear();
  }

  connectUp() {
    this.up = this.presenter ? this.watch(new Up(this.signal, this.node), () => this.connectUp()) : null;
    if (this.up) this.send(this.up);
  }

  connectDown() {
    this.down = this.watch(new Down(this.signal, this.node, (id, track) => {
      this.dispatchEvent(new CustomEvent("track", { detail: { id, track } }));
    }), () => this.connectDown());
    this.get(this.down);
  }

  // watch replaces a connection that fails although its SFU lives.
  watch(peer, again) {
    peer.onfailed = () => {
      if (peer.closed || (peer !== this.up && peer !== this.down)) return;
      peer.close();
      again();
    };
    return peer;
  }

  refresh() {
    if (this.down) this.get(this.down);
  }

  send(up) {
    return this.persist(up, () => up.send(this.tracks));
  }

  get(down) {
    return this.persist(down, () => down.get(this.wanted, this.view));
  }

  // persist tries until it succeeds or the connection is replaced.
  persist(peer, f) {
    return peer.then(async () => {
      for (let tries = 0; !peer.closed && (peer === this.up || peer === this.down); tries++) {
        try {
          await f();
          return;
        } catch (err) {
          console.debug("trying again:", err.message);
          if (peer.pc.signalingState === "have-local-offer") await peer.pc.setLocalDescription({ type: "rollback" });
          await new Promise((done) => setTimeout(done, retryTime));
        }
      }
    });
  }

  // set sends a track of ours from now on; null ends it.
  set(source, track) {
    if (track) this.tracks.set(source, track);
    else this.tracks.delete(source);
    if (this.up) return this.send(this.up);
    return Promise.resolve();
  }

  look(view) {
    this.view = view;
    const down = this.down;
    if (down && down.pc.remoteDescription) down.then(() => down.change({ view }).catch(() => {}));
  }

  close() {
    this.forget();
    for (const peer of [this.up, this.down]) if (peer) peer.close(true);
    this.up = this.down = null;
  }
}
