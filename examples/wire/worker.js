// A worker on NATS without any library: its text protocol over a socket.
// node worker.js HOST:PORT PURPOSE
const net = require('net'), os = require('os'), crypto = require('crypto')
const [address, purpose] = process.argv.slice(2)
const [host, port] = address.split(':')
const id = `${purpose}-${crypto.randomBytes(10).toString('hex')}@${os.hostname()}`
const inbox = `muster.reply.${crypto.randomBytes(8).toString('hex')}`
const token = name => [...Buffer.from(name)].map(b =>
  b > 32 && b < 127 && !'.*>$%'.includes(String.fromCharCode(b)) ? String.fromCharCode(b)
    : '%' + b.toString(16).toUpperCase().padStart(2, '0')).join('')

const methods = {
  start: task => { cast('pickUpTasks', id, [task]); return `running ${task}` },
  stop: task => { cast('layDownTask', id, task); return 'ok' }
}

const socket = net.connect(+port, host)
const publish = (subject, reply, body) => {
  const text = JSON.stringify(body)
  socket.write(`PUB ${subject} ${reply}${reply && ' '}${Buffer.byteLength(text)}\r\n${text}\r\n`)
}
const manager = 'muster.rpc.' + token('owt-cluster'), waiting = new Map()
const cast = (method, ...args) => publish(manager, '', { method, args })
let calls = 0
const call = (method, ...args) => new Promise((resolve, reject) => {
  const reply = `${inbox}.${calls++}`, late = setTimeout(() => waiting.get(reply)({ data: 'error', err: 'no answer' }), 2000)
  waiting.set(reply, a => { waiting.delete(reply); clearTimeout(late); a.data === 'error' ? reject(new Error(a.err)) : resolve(a.data) })
  publish(manager, reply, { method, args, corrID: calls })
})

function received (subject, reply, body) {
  if (waiting.has(subject)) return waiting.get(subject)(body)
  if (!reply || !body.method) return
  const method = methods[body.method], answer = { corrID: body.corrID, type: 'callback' }
  publish(reply, '', method ? { ...answer, data: method(...body.args) } : { ...answer, data: 'error', err: 'Not support method' })
}

let buffer = Buffer.alloc(0)
socket.on('data', data => {
  buffer = Buffer.concat([buffer, data])
  for (let end; (end = buffer.indexOf('\r\n')) >= 0;) {
    const [verb, ...words] = buffer.toString('utf8', 0, end).split(' '), size = verb === 'MSG' ? +words.at(-1) + 2 : 0
    if (buffer.length < end + 2 + size) return // the rest is on its way
    const body = buffer.subarray(end + 2, end + size)
    buffer = buffer.subarray(end + 2 + size)
    if (verb === 'PING') socket.write('PONG\r\n')
    if (verb === '-ERR') throw new Error(words.join(' '))
    if (verb === 'MSG') received(words[0], words.length > 3 ? words[2] : '', JSON.parse(body))
  }
})

async function main () {
  socket.write(`CONNECT {"verbose":false}\r\nSUB muster.rpc.${token(id)} muster 1\r\nSUB ${inbox}.* 2\r\n`)
  const join = () => call('join', purpose, id, { purpose, ip: '127.0.0.1', state: 2, maxLoad: 0.85, capacity: { isps: [], regions: [] } })
  await join()
  cast('reportLoad', id, 0) // without a load it gets no task
  await call('keepAlive', id) // answered after what came before it
  console.log(id)
  setInterval(async () => {
    if (await call('keepAlive', id).catch(() => 'later') === 'whoareyou') await join().catch(() => {})
    cast('reportLoad', id, Math.min(os.loadavg()[0] / os.cpus().length, 1))
  }, 800)
  process.on('SIGTERM', () => { cast('quit', id); socket.end(() => process.exit()) })
}
main()
