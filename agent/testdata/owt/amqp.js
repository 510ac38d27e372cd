'use strict';
// As much of an AMQP 0-9-1 client as a test node needs: one channel, one queue
// that is consumed, and messages of one frame. It stands in for amqplib, so
// that the tests need no package registry.

const net = require('net');

const short = (n) => { const b = Buffer.alloc(2); b.writeUInt16BE(n); return b; };
const long = (n) => { const b = Buffer.alloc(4); b.writeUInt32BE(n); return b; };
const shortString = (s) => { const t = Buffer.from(s); return Buffer.concat([Buffer.from([t.length]), t]); };
const longString = (s) => { const t = Buffer.from(s); return Buffer.concat([long(t.length), t]); };
const bits = (n) => Buffer.from([n]);
const noTable = long(0);

const METHOD = 1, HEADER = 2, BODY = 3, END = 0xce;
const AUTO_DELETE_EXCHANGE = 4, AUTO_DELETE_QUEUE = 8, NO_ACK = 2;

const frame = (type, channel, payload) =>
  Buffer.concat([Buffer.from([type]), short(channel), long(payload.length), payload, Buffer.from([END])]);

// connect serves the queue `name`: onMessage(text, publish) for each message.
// onServing is called once the broker knows.
exports.connect = ({host, port}, name, onMessage, onServing) => {
  const socket = net.connect(port, host);
  const method = (channel, klass, id, ...args) =>
    socket.write(frame(METHOD, channel, Buffer.concat([short(klass), short(id), ...args])));

  const publish = (exchange, key, text) => {
    const body = Buffer.from(text);
    socket.write(Buffer.concat([
      frame(METHOD, 1, Buffer.concat([short(60), short(40), short(0), shortString(exchange), shortString(key), bits(0)])),
      frame(HEADER, 1, Buffer.concat([short(60), short(0), long(0), long(body.length), short(0)])),
      frame(BODY, 1, body),
    ]));
  };

  // What to say when the broker has said that; by class and method.
  const steps = {
    '10.10': () => method(0, 10, 11, noTable, shortString('PLAIN'), longString('\0guest\0guest'), shortString('en_US')),
    '10.30': (args) => {
      method(0, 10, 31, args.subarray(0, 6), short(0)); // its limits, no heart-beats
      method(0, 10, 40, shortString('/'), shortString(''), bits(0));
    },
    '10.41': () => method(1, 20, 10, shortString('')),
    '20.11': () => method(1, 40, 10, short(0), shortString('owtRpc'), shortString('direct'), bits(AUTO_DELETE_EXCHANGE), noTable),
    '40.11': () => method(1, 50, 10, short(0), shortString(name), bits(AUTO_DELETE_QUEUE), noTable),
    '50.11': () => method(1, 50, 20, short(0), shortString(name), shortString('owtRpc'), shortString(name), bits(0), noTable),
    '50.21': () => method(1, 60, 20, short(0), shortString(name), shortString(''), bits(NO_ACK), noTable),
    '60.21': () => onServing(),
    '60.60': () => {}, // a message follows, in frames of its own
  };

  let missing = 0, parts = [];
  const take = (type, payload) => {
    switch (type) {
      case METHOD: {
        const step = steps[`${payload.readUInt16BE(0)}.${payload.readUInt16BE(2)}`];
        if (!step) throw new Error(`the broker says ${payload.toString('latin1')}`);
        step(payload.subarray(4));
        break;
      }
      case HEADER:
        missing = Number(payload.readBigUInt64BE(4));
        parts = [];
        break;
      case BODY:
        parts.push(payload);
        missing -= payload.length;
        if (missing === 0) onMessage(Buffer.concat(parts).toString(), publish);
    }
  };

  let buffer = Buffer.alloc(0);
  socket.on('data', (data) => {
    buffer = Buffer.concat([buffer, data]);
    while (buffer.length >= 8 && buffer.length >= 8 + buffer.readUInt32BE(3)) {
      const size = buffer.readUInt32BE(3);
      take(buffer[0], buffer.subarray(7, 7 + size));
      buffer = buffer.subarray(8 + size);
    }
  });
  socket.on('close', () => process.exit(1));
  socket.on('error', (err) => { console.error(err); process.exit(1); });
  socket.write('AMQP\0\0\x09\x01', 'latin1');
};
