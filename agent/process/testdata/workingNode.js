// A stand-in for OWT's workingNode: the same arguments, the same words on the
// same channel, and faults on demand.
'use strict';

const [, , id, agent, json] = process.argv;
const config = JSON.parse(json);
console.log(JSON.stringify({ id, agent, config }));

const beat = () => setInterval(() => process.send('IMOK'), config.beat);

const behaviours = {
  works() {
    process.send('READY');
    beat();
  },
  hangs() {
    process.send('READY');
    setTimeout(() => {}, 3600 * 1000);
  },
  slow() {
    beat();
  },
  fails() {
    process.send('ERROR');
    setTimeout(() => {}, 3600 * 1000);
  },
  says() {
    process.send({ fault: 'no rabbit' });
    setTimeout(() => {}, 3600 * 1000);
  },
  leaves() {
    process.send('READY');
    process.exitCode = config.status;
    process.disconnect();
  },
  floods() {
    process.send('x'.repeat(1 << 20));
    setTimeout(() => {}, 3600 * 1000);
  },
};

process.on('SIGTERM', () => {
  console.log('Exiting on SIGTERM');
  process.exit();
});

behaviours[config.does]();
