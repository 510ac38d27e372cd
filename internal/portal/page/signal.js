// The connection to a portal, to whichever one is there.

const answerTime = 6000;
const openTime = 3000;

// Signal keeps a WebSocket to a portal of the cluster. Its events: joined,
// state, speakers, text, lost, refused.
export class Signal extends EventTarget {
  constructor(token) {
    super();
    this.token = token;
    this.portals = [location.origin];
    this.attach = 0;
    this.ticket = "";
    this.you = "";
    this.number = 0;
    this.waiting = new Map();
    this.tracks = [];
    this.part = 0; // of the room: where we were
    this.iceServers = [];
    this.over = false;
  }

  tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  // run connects, again and again, until the room is left or refused.
  async run() {
    let at = 0;
    let pause = 100;
    while (!this.over) {
      const joined = await this.once(this.portals[at % this.portals.length]);
      if (this.over) return;
      this.tell("lost", {});
      if (joined) pause = 100;
      at++;
      await new Promise((done) => setTimeout(done, pause));
      pause = Math.min(pause * 2, 1500);
    }
  }

  // once is one connection, to its end. It says whether we were let in.
  once(portal) {
    return new Promise((done) => {
      const socket = new WebSocket(portal.replace(/^http/, "ws") + "/socket");
      let joined = false;
      const late = setTimeout(() => socket.close(), openTime);
      socket.onopen = async () => {
        clearTimeout(late);
        this.socket = socket;
        this.attach++;
        try {
          const a = await this.request("join", {
            token: this.token, ticket: this.ticket, attach: this.attach, tracks: this.tracks, part: this.part,
          });
          joined = true;
          this.here = portal;
          this.you = a.you;
          this.ticket = a.ticket;
          this.take(a);
          this.tell("joined", { portal });
          if (a.state) this.tell("state", a.state);
        } catch (err) {
          if (err.refused) {
            this.over = true;
            this.tell("refused", err.message);
          }
          socket.close();
        }
      };
      socket.onmessage = (m) => this.hear(JSON.parse(m.data));
      socket.onclose = () => {
        clearTimeout(late);
        if (this.socket === socket) this.socket = null;
        for (const w of this.waiting.values()) w.fail(new Error("the portal is gone"));
        this.waiting.clear();
        done(joined);
      };
    });
  }

  take(m) {
    this.iceServers = m.iceServers || [];
    if (!m.portals || m.portals.length === 0) return;
    const here = this.portals[0];
    this.portals = [here, ...m.portals.filter((p) => p !== here)];
  }

  hear(m) {
    if (m.type === "answer") {
      const w = this.waiting.get(m.re);
      this.waiting.delete(m.re);
      if (!w) return;
      if (m.error) w.fail(Object.assign(new Error(m.error), { refused: true }));
      else w.done(m);
      return;
    }
    if (m.type === "state") {
      this.take(m);
      this.tell("state", m.state);
      return;
    }
    this.tell(m.type, m);
  }

  // request sends a message and waits for its answer.
  request(type, body = {}) {
    return new Promise((done, fail) => {
      if (!this.socket || this.socket.readyState !== WebSocket.OPEN) {
        fail(new Error("there is no portal"));
        return;
      }
      const n = ++this.number;
      const late = setTimeout(() => {
        this.waiting.delete(n);
        fail(new Error("the portal does not answer"));
      }, answerTime);
      this.waiting.set(n, {
        done: (v) => { clearTimeout(late); done(v); },
        fail: (err) => { clearTimeout(late); fail(err); },
      });
      this.socket.send(JSON.stringify({ n, type, ...body }));
    });
  }

  // publish says which tracks there are, now and after every new connection.
  publish(tracks) {
    this.tracks = tracks;
    this.request("tracks", { tracks }).catch(() => {});
  }

  leave() {
    this.over = true;
    if (!this.socket) return;
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ n: 0, type: "leave" }));
    this.socket.close();
  }
}
