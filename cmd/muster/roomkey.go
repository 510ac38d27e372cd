package main

import (
	"fmt"

	"github.com/muster-fleet/muster/config"
	"github.com/muster-fleet/muster/internal/roomtoken"
)

// roomKey is what signs the tokens of rooms: the configured one, else one that
// is derived from the secret which the managers of this machine share.
func roomKey(cfg *config.Config) (roomtoken.Key, error) {
	if key := cfg.Rooms.Key.Reveal(); key != "" {
		k, err := roomtoken.NewKey([]byte(key))
		if err != nil {
			return k, fmt.Errorf("rooms.key: %w (from: %s)", err, cfg.Origin("rooms.key"))
		}
		return k, nil
	}
	secret, err := localSecret()
	if err != nil {
		return roomtoken.Key{}, fmt.Errorf("no key for tokens of rooms: %w, or MUSTER_ROOMS_KEY", err)
	}
	return roomtoken.NewKey(secret)
}
