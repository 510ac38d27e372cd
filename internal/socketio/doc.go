// Package socketio is a server of Socket.IO, as far as clients of versions 3 and
// 4 need it that send events with acknowledgements in the default namespace:
// Engine.IO 4 over long polling and WebSocket, with the upgrade from one to the
// other, and Socket.IO 5 without binary data, rooms and adapters.
//
// Pings do more here than in other servers: each event is followed by one, whose
// answer says that the event has arrived. So what a broken connection may have
// lost is known ([Socket.Unconfirmed]).
//
// A [Server] is an http.Handler. Each connection is a [Socket], which a function
// of the caller serves in a goroutine of its own.
//
// docs/decisions/owt-sdk.md says why this is not a library.
package socketio
