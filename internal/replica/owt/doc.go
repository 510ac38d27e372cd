// Package owt implements replica.Replica with OWT's own protocol between
// managers: a master is elected by heart-beats on a topic, publishes its updates
// to the slaves, and is replaced when it falls silent. On RabbitMQ it works
// beside OWT's Node.js managers of 4.2 to 5.1, as their slave and as their
// master; on NATS our managers speak the same protocol among themselves.
//
// # Guarantees
//
// While messages arrive within about 50 ms and all managers run, one of them
// leads and all others have its state. The protocol has no quorum. Two managers
// are therefore enough, but the guarantees end here:
//
//   - A command is answered when the master has applied it. The update for the
//     slaves has been sent by then, but the master does not wait for it to
//     arrive: what a master did in its last instants can be lost with it, even if
//     it was answered.
//   - A master serves for 200 ms after it sent the last heart-beat that came
//     back to it through the broker; the others need 250 ms of silence to
//     replace it. A master that was stopped or cut off and wakes up therefore
//     refuses proposals until it has found out whether it was replaced. If it
//     was, it follows the new master, whatever their ages.
//     This relies on a monotonic clock that advances while the process is stopped.
//   - What was checked before the stop and is sent after it is not covered.
//   - A broker that splits in two makes two masters. When it heals, the younger
//     master steps down, and what it did in the meantime is lost.
//
// # Additions to the wire
//
// OWT's updates are not numbered. A heart-beat, and the answer to a request for
// the state, therefore carry the number of updates that their master has sent so
// far, and a term that orders our masters:
//
//	{"type":"declareMaster","data":{"id":1234567,"life_time":8},"muster":{"seq":3,"term":1}}
//
// A slave whose own count differs has missed updates, and requests the state
// again. A Node master sends no such member: its slaves request the state every
// few seconds, and when an update refers to something unknown. Everything else is
// OWT's, byte for byte; Node's managers ignore members that they do not know.
//
// A manager with no state, or with gaps in it, stands for election under an id
// below all others, so that OWT's own rule prefers any manager that knows more.
//
// See docs/decisions/owt-election.md.
package owt
