'use strict';
// As much of AMQP 0-9-1 as a manager needs, so that the test needs no package:
// one connection, one channel, a topic exchange, one queue of one's own.

const net = require('node:net');

const short = (n) => { const b = Buffer.alloc(2); b.writeUInt16BE(n); return b; };
const long = (n) => { const b = Buffer.alloc(4); b.writeUInt32BE(n); return b; };
const text = (s) => Buffer.concat([Buffer.from([Buffer.byteLength(s)]), Buffer.from(s)]);
const longText = (s) => Buffer.concat([long(Buffer.byteLength(s)), Buffer.from(s)]);
const bits = (...on) => Buffer.from([on.reduce((byte, bit, i) => byte | (bit ? 1 << i : 0), 0)]);
const noTable = long(0);

const frame = (type, channel, payload) =>
  Buffer.concat([Buffer.from([type]), short(channel), long(payload.length), payload, Buffer.from([0xce])]);
const method = (channel, cls, id, ...fields) => frame(1, channel, Buffer.concat([short(cls), short(id), ...fields]));

class Connection {
  static async open(url, onMessage) {
    const c = new Connection();
    Object.assign(c, { rest: Buffer.alloc(0), waiting: [], onMessage, user: decodeURIComponent(url.username || 'guest'),
      password: decodeURIComponent(url.password || 'guest') });
    c.socket = net.connect(Number(url.port || 5672), url.hostname);
    c.socket.setNoDelay(true);
    c.socket.on('data', (data) => c.read(data));
    c.socket.on('error', (err) => { console.error(err); process.exit(1); });
    c.socket.on('close', () => process.exit(1));
    c.socket.write(Buffer.from('AMQP\0\0\x09\x01', 'latin1'));
    await c.expect(10, 10);
    const plain = '\0' + c.user + '\0' + c.password;
    c.socket.write(method(0, 10, 11, noTable, text('PLAIN'), longText(plain), text('en_US')));
    await c.expect(10, 30);
    c.socket.write(method(0, 10, 31, short(1), long(1 << 17), short(0)));
    c.socket.write(method(0, 10, 40, text('/'), text(''), bits()));
    await c.expect(10, 41);
    await c.ask(20, 10, 11, text(''));
    return c;
  }

  // topic declares the exchange, and a queue whose messages come to onMessage.
  async topic(name) {
    this.exchange = name;
    await this.ask(40, 10, 11, short(0), text(name), text('topic'), bits(false, false, false), noTable);
    const ok = await this.ask(50, 10, 11, short(0), text(''), bits(false, false, true, true), noTable);
    this.queue = ok.toString('utf8', 5, 5 + ok[4]);
    await this.ask(60, 20, 21, short(0), text(this.queue), text(''), bits(false, true), noTable);
  }

  bind(key) { return this.ask(50, 20, 21, short(0), text(this.queue), text(this.exchange), text(key), bits(), noTable); }
  unbind(key) { return this.ask(50, 50, 51, short(0), text(this.queue), text(this.exchange), text(key), noTable); }

  publish(key, body) {
    const data = Buffer.from(JSON.stringify(body));
    const size = Buffer.alloc(8);
    size.writeBigUInt64BE(BigInt(data.length));
    this.socket.write(Buffer.concat([
      method(1, 60, 40, short(0), text(this.exchange), text(key), bits()),
      frame(2, 1, Buffer.concat([short(60), short(0), size, short(0)])),
      frame(3, 1, data),
    ]));
  }

  ask(cls, id, answer, ...fields) {
    this.socket.write(method(1, cls, id, ...fields));
    return this.expect(cls, answer);
  }

  expect(cls, id) { return new Promise((resolve) => this.waiting.push({ cls, id, resolve })); }

  read(data) {
    this.rest = Buffer.concat([this.rest, data]);
    while (this.rest.length >= 7 && this.rest.length >= 8 + this.rest.readUInt32BE(3)) {
      const size = this.rest.readUInt32BE(3);
      this.take(this.rest[0], this.rest.subarray(7, 7 + size));
      this.rest = this.rest.subarray(8 + size);
    }
  }

  take(type, payload) {
    if (type === 2) {
      this.left = Number(payload.readBigUInt64BE(4));
      this.parts = [];
    } else if (type === 3) {
      this.parts.push(Buffer.from(payload));
      this.left -= payload.length;
      if (this.left === 0) this.onMessage(this.key, JSON.parse(Buffer.concat(this.parts)));
    } else if (type === 1) {
      this.hear(payload.readUInt16BE(0), payload.readUInt16BE(2), payload);
    }
  }

  hear(cls, id, payload) {
    if (cls === 60 && id === 60) { // deliver: consumer tag, delivery tag, redelivered, exchange, key
      let at = 4 + 1 + payload[4] + 8 + 1;
      at += 1 + payload[at];
      this.key = payload.toString('utf8', at + 1, at + 1 + payload[at]);
      return;
    }
    const next = this.waiting.shift();
    if (!next || next.cls !== cls || next.id !== id) {
      console.error('unexpected method', cls, id, payload.toString('latin1'));
      process.exit(1);
    }
    next.resolve(payload);
  }
}

module.exports = { Connection };
