package raft

import (
	"fmt"
	"slices"
	"strings"
)

// CheckRemoval returns an error if the cluster would have no majority without the
// manager at an address, because too few of the others are active. It needs the
// Status of the leader, which alone knows who is active.
func (s Status) CheckRemoval(addr string) error {
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
