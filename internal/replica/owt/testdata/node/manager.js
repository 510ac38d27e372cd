'use strict';
// A manager among OWT's managers of 4.2 to 5.1, as the wire shows them: the
// election, the updates, the state. It implements docs/owt.md and the recordings,
// and none of Muster's extensions. It reads events as lines of JSON, and writes
// its role, and its state on request, in the same way:
//
//   node manager.js URL CLUSTER ID
//   > {"publish": {"type": "worker_join", "payload": {...}}}     as master: apply and publish it
//   > {"show": true}
//   < {"role": "master"}      < {"state": {...}}

const readline = require('node:readline');
const { Connection } = require('./amqp.js');

const [url, cluster, name] = process.argv.slice(2);
const id = Number(name);
const say = (line) => process.stdout.write(JSON.stringify(line) + '\n');

let amqp;
let role;
let keys = [];
let timers = [];
let state = { schedulers: {}, workers: {} };
let lifeTime = 0;
let misses = 0;
let synced = false;

const every = (ms, f) => timers.push(setInterval(f, ms));

async function become(next, ...wanted) {
  if (role === next) return;
  role = next;
  timers.forEach(clearInterval);
  timers = [];
  const had = keys;
  keys = wanted;
  for (const key of wanted) await amqp.bind(key);
  for (const key of had.filter((key) => !wanted.includes(key))) await amqp.unbind(key);
  if (role !== next) return;
  ({ candidate, master, slave })[next]();
  say({ role: next });
}

const beCandidate = () => become('candidate', 'clusterManager.candidate.#');
const beMaster = () => become('master', 'clusterManager.master.#', `clusterManager.*.${id}`);
const beSlave = () => become('slave', 'clusterManager.slave.#', `clusterManager.*.${id}`);

let heard = false;
let larger = false;

function candidate() {
  heard = larger = false;
  const recommend = () => amqp.publish('clusterManager.candidate', { type: 'selfRecommend', data: id });
  recommend();
  every(30, recommend);
}

function asCandidate(m) {
  if (m.type === 'declareMaster') return beSlave();
  if (m.type !== 'selfRecommend') return undefined;
  larger = larger || m.data > id;
  if (heard) return undefined;
  heard = true;
  setTimeout(() => {
    if (role !== 'candidate') return;
    if (larger) heard = larger = false; else beMaster();
  }, 160);
}

function master() {
  lifeTime = 0;
  every(20, () => {
    lifeTime += 1;
    for (const to of ['slave', 'candidate', 'master']) {
      amqp.publish(`clusterManager.${to}`, { type: 'declareMaster', data: { id, life_time: lifeTime } });
    }
  });
}

function asMaster(m) {
  if (m.type === 'requestRuntimeData') {
    amqp.publish(`clusterManager.slave.${m.data}`, { type: 'runtimeData', data: state });
  } else if (m.type === 'declareMaster' && m.data.id !== id && m.data.life_time > lifeTime) {
    beSlave();
  }
}

function slave() {
  misses = 0;
  synced = false;
  amqp.publish('clusterManager.master', { type: 'requestRuntimeData', data: id });
  every(30, () => {
    misses += 1;
    if (misses > 2) beCandidate();
  });
}

function asSlave(m) {
  if (m.type === 'declareMaster') misses = 0;
  else if (m.type === 'runtimeData') [state, synced] = [m.data, true];
  else if (m.type === 'updateData' && synced) fold(m.data); // before, the state will say it
}

function reserve(tasks, task, worker, reserve_time) { tasks[task] = { reserve_time, worker }; }

// fold makes happen what the master says.
function fold({ type, payload: p }) {
  const purpose = p.purpose || (state.workers[p.worker] || {}).purpose;
  if (type === 'worker_join') state.schedulers[purpose] = state.schedulers[purpose] || { workers: {}, tasks: {} };
  const { workers, tasks } = state.schedulers[purpose] || { workers: {}, tasks: {} };
  const w = workers[p.worker];
  switch (type) {
    case 'worker_join':
      workers[p.worker] = { load: p.info.maxLoad || 1, info: p.info, tasks: [] };
      state.workers[p.worker] = { purpose, alive_count: 0 };
      break;
    case 'worker_quit':
      delete workers[p.worker];
      delete state.workers[p.worker];
      break;
    case 'worker_state': w.state = p.state; break;
    case 'worker_load': w.load = p.load; break;
    case 'scheduled': reserve(tasks, p.task, p.worker, p.reserve_time); break;
    case 'unscheduled': delete tasks[p.task]; break;
    case 'worker_pickup':
      for (const task of p.tasks) {
        if (!w.tasks.includes(task)) w.tasks.push(task);
        reserve(tasks, task, p.worker, (tasks[task] || {}).reserve_time);
      }
      break;
    case 'worker_laydown': w.tasks = w.tasks.filter((task) => task !== p.task); break;
    default: console.error('unknown update', type);
  }
}

function command(line) {
  const c = JSON.parse(line);
  if (c.show) say({ state });
  if (c.publish && role === 'master') {
    fold(c.publish);
    amqp.publish('clusterManager.slave', { type: 'updateData', data: c.publish });
  }
}

async function main() {
  const roles = { candidate: asCandidate, master: asMaster, slave: asSlave };
  amqp = await Connection.open(new URL(url), (key, m) => {
    const to = key.split('.')[1]; // what is left of a role before is not for this one
    if (to === role) roles[role](m);
  });
  await amqp.topic(`${cluster}.management`);
  readline.createInterface({ input: process.stdin }).on('line', command).on('close', () => process.exit(0));
  await beCandidate();
}

main();
