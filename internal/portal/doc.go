// Package portal is what clients of rooms talk to: signalling over a WebSocket
// (and a page that uses it), and WHIP and WHEP over HTTP. It knows no media: it
// passes offers to the SFU that serves the room, and asks the conference who is
// there.
//
// A portal keeps what its own clients have said, and says it to the conference
// of each room again and again. A client that loses its portal goes to another
// with its token and its ticket, and says everything again; its media goes on
// meanwhile, since it does not pass here.
//
// docs/rooms.md has the messages.
package portal
