'use strict';
// A node as OWT's agents start them: `node ./workingNode <id> <agent> <config>`.
// It serves its id on the bus, says READY to its agent, and IMOK every second.

const amqp = require('./amqp');

const [id, , config] = process.argv.slice(2);

const methods = {
  process: (_what, reply) => reply({data: 'ok'}),
};

const onMessage = (text, publish) => {
  const {method, args, corrID, replyTo} = JSON.parse(text);
  const reply = ({data, err}) => {
    if (corrID !== undefined) {
      publish('owtRpc', replyTo, JSON.stringify({data, corrID, type: 'callback', err}));
    }
  };
  if (methods[method]) {
    methods[method](...args, reply);
  } else {
    reply({data: 'error', err: 'Not support method'});
  }
};

amqp.connect(JSON.parse(config).rabbit, id, onMessage, () => {
  console.log(`${id} is ready`);
  process.send('READY');
  setInterval(() => process.send('IMOK'), 1000);
});
process.on('disconnect', () => process.exit(0));
process.on('SIGTERM', () => process.exit(0));
