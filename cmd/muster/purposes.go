package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/muster-fleet/muster/client"
)

// knownPurpose returns an error where nothing was found because there is no
// such purpose.
func knownPurpose(ctx context.Context, c *client.Client, purpose string, found int) error {
	if purpose == "" || found > 0 {
		return nil
	}
	s, err := c.Status(ctx)
	if err != nil {
		return err
	}
	names := wordsFrom(s.Purposes, func(p client.PurposeStatus) string { return p.Purpose })
	if slices.Contains(names, purpose) {
		return nil
	}
	there := "none is known yet"
	if len(names) > 0 {
		there = "there are " + strings.Join(names, ", ")
	}
	return fmt.Errorf("no worker has the purpose %q: %s", purpose, there)
}
