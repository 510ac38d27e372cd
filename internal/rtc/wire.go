package rtc

import wire "github.com/muster-fleet/muster/internal/room"

// What callers say is in package room, which does not need pion.
type (
	// Track says what a publisher sends in a media section.
	Track = wire.Track
	// Offer is a client's offer for a session, the first or a later one.
	Offer = wire.Offer
	// Routes say where what people publish arrives.
	Routes = wire.Routes
	// Change is what a session publishes and wants.
	Change = wire.Change
)
