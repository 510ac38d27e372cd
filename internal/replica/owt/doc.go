// Package owt is replica.Replica by OWT's own protocol between managers: one
// is elected master by heart-beats on a topic, tells the slaves what happened,
// and is replaced when it falls silent. It lives beside OWT's Node.js managers
// of 4.2 to 5.1, as their slave and as their master, on RabbitMQ; on NATS our
// managers say the same to each other.
//
// # What is promised
//
// While messages arrive within some 50 ms and all managers run, one of them
// leads and all others have what it did. The protocol has no quorum, so that
// two managers are enough, and so that this is all:
//
//   - A command is answered when the master has done it. What it tells the
//     slaves is on its way by then, but nobody waits until it has arrived: what
//     a master did in its last instants can die with it, answered or not.
//   - A master serves for 200 ms from the sending of the last heart-beat of
//     its own that came back to it through the broker; the others need 250 ms
//     of silence to replace it. So a master that was stopped, or cut off, and
//     wakes up, refuses what is proposed to it until it has listened whether
//     it was replaced, and where it was it follows, however old it is.
//     This rests on a monotonic clock that goes on while the process does not.
//   - What was checked before the stop and is sent after it is out of reach.
//   - A broker that splits in two makes two masters. When it is one again the
//     younger master gives up, and what it did alone is lost.
//
// # What is added to the wire
//
// OWT's updates have no number. A heart-beat, and the answer to a request for
// the state, therefore say how many updates their master told before, and which
// of our masters is the later one:
//
//	{"type":"declareMaster","data":{"id":1234567,"life_time":8},"muster":{"seq":3,"term":1}}
//
// A slave that counted otherwise missed some, and asks for the state again. A
// Node master sends no such member: it is asked every few seconds, and when an
// update speaks of something unknown. All else is OWT's, byte for byte; Node's
// managers do not look at members that they do not know.
//
// A manager that knows nothing of the state, or knows that it lacks something,
// stands for election under an id below all others, so that by OWT's own rule
// anybody who knows more goes first.
//
// docs/decisions/owt-election.md tells more.
package owt
