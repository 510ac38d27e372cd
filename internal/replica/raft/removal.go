package raft

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/muster-fleet/muster/internal/pause"
)

// CheckRemoval returns an error if the cluster would have no majority without the
// manager at an address, because too few of the others are active. Only the leader
// knows who is active. One that was just elected has heard from none yet, so it looks
// again for some heartbeats.
func (n *Replica) CheckRemoval(ctx context.Context, addr string) error {
	for try := 1; ; try++ {
		s, err := n.Status(ctx)
		if err != nil {
			return err
		}
		if err = s.checkRemoval(addr); err == nil || try == activeTries || !pause.For(ctx, n.opts.betweenTries()) {
			return err
		}
	}
}

func (s Status) checkRemoval(addr string) error {
	stay, silent := 0, []string(nil)
	for _, m := range s.Members {
		if m.Addr == addr || !m.Voter {
			continue
		}
		stay++
		if !m.Active {
			silent = append(silent, m.Addr)
		}
	}
	isMember := slices.ContainsFunc(s.Members, func(m Member) bool { return m.Addr == addr && m.Voter })
	if heard := stay - len(silent); !isMember || heard > stay/2 {
		return nil
	}
	return fmt.Errorf("without %s only %d of %d managers that vote are heard, which is no majority (silent: %s): "+
		"bring them back, or remove those first; with force it is removed all the same, and there is no leader until they are back",
		addr, stay-len(silent), stay, strings.Join(silent, ", "))
}

// othersVote reports whether an admitted voter is left at another address.
func (ms *membership) othersVote(addr string) bool {
	return slices.ContainsFunc(ms.core.conf.GetVoters(), func(id uint64) bool {
		at := ms.core.roster.addrs[id]
		return at != addr && ms.core.roster.admits(at)
	})
}
