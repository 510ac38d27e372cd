// Package natsbus is bus.Conn over NATS. The server to put inside a program is
// package natsserver.
//
// # Subjects
//
//	muster.rpc.NAME                    requests to the server of that name; servers of one name share them (queue group "muster")
//	muster.topic.TOPIC.WORD.WORD...$   notices; one token a word of the key, and an end token "$", so that exit.# also fits exit
//	muster.reply.CONN.SLOT             answers to one Conn, which subscribes to muster.reply.CONN.* once
//
// The leader of a group (Conn.JoinGroup) is in the queue group "muster.TERM"
// instead, so that leaders of two terms share nothing; followers do not subscribe.
//
// NAME, TOPIC and WORD are any text, made into one token each: printable ASCII
// stands for itself, but for . * > $ % and blank; these and all other bytes
// are %XX, in upper-case hexadecimal. The empty text is a lone %. So
// webrtc-1@10.0.0.1 is webrtc-1@10%2E0%2E0%2E1, and no two texts collide. A
// subject may have 1,024 bytes.
//
// A user of an outside server needs the right to publish and to subscribe to
// muster.>.
//
// On a server that knows its users (package natsauth) the sender is a part of the
// subjects: muster.as.ROLE.NAME.SERVER and muster.reply.ROLE.NAME.CONN.SLOT.
//
// # Bodies
//
// Requests and answers are OWT's JSON objects (package bus); where to answer
// is NATS's own reply subject, and a replyTo in the body is not looked at. The
// body of a notice is the notice.
//
// # Slots
//
// A call takes a slot, which is the last token of its reply subject, and gives
// it back with its answer: the server sees the same few subjects again and
// again and finds them in its cache. A slot whose call ended without an answer
// is not used again, since one may still come.
//
// # Connection
//
// Dial fails at once when it cannot connect. A connection that is lost later
// is restored without limit, after 50 ms at first and at most 1 s between two
// attempts. Meanwhile nothing is buffered: Call, Cast and Publish return
// bus.ErrDisconnected. So do, at once, the calls that were in flight: whether
// they were carried out is unknown.
//
// The socket is written by a goroutine of its own, so that a frozen
// broker delays a call no longer than its deadline. The socket counts as lost after
// a write of ten seconds.
package natsbus
