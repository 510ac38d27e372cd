// What OWT's management API does in the database, with OWT's own data_access:
// "init" makes a service, the key of tokens and a room without a mixer, and prints
// the room; "token ROOM USER HOST" prints a token.
'use strict';
global.config = {mongo: {dataBaseURL: process.env.OWT_DATABASE}};
const crypto = require('crypto');
const dataAccess = require(process.cwd() + '/data_access');
const Service = require(process.cwd() + '/data_access/model/serviceModel');

const create = (of, ...args) => new Promise((done, failed) =>
  of.create(...args, (err, made) => (err ? failed(err) : done(made))));

const keyOfTokens = async () => {
  for (;;) {
    try {
      return await dataAccess.token.key();
    } catch (e) {
      await new Promise((next) => setTimeout(next, 20)); // genKey says nothing when it is done
    }
  }
};

const commands = {
  async init() {
    dataAccess.token.genKey();
    await keyOfTokens();
    const service = await Service.create({name: 'test', key: 'test'});
    const room = await create(dataAccess.room, String(service._id), {name: 'test', views: []});
    return String(room._id);
  },

  async token(room, user, host) {
    const service = await Service.findOne({name: 'test'});
    const record = {
      user, role: 'presenter', room, service: service._id, host, secure: false, creationDate: new Date(),
      origin: {isp: 'isp', region: 'region'}, code: String(crypto.randomInt(1e12)),
    };
    const id = await new Promise((done) => dataAccess.token.create(record, done));
    const token = {tokenId: String(id), host, secure: false};
    const hex = crypto.createHmac('sha256', await keyOfTokens()).update([id, host, undefined].map(String).join(',')).digest('hex');
    token.signature = Buffer.from(hex).toString('base64');
    return Buffer.from(JSON.stringify(token)).toString('base64');
  },
};

const [command, ...args] = process.argv.slice(2);
commands[command](...args).then((answer) => {
  console.log(answer);
  process.exit(0);
}, (err) => {
  console.error(err);
  process.exit(1);
});
