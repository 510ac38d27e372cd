package raft

import (
	"fmt"
	"maps"
	"slices"

	pb "go.etcd.io/raft/v3/raftpb"

	"github.com/muster-fleet/muster/internal/state"
)

// roster lists the members of the cluster. It is part of the log and of
// snapshots, and equal on all managers at the same index.
type roster struct {
	// clusterID is the random number that the cluster got when it was created.
	clusterID uint64
	// admitted are the addresses that may join, sorted. Members at other
	// addresses are removed.
	admitted []string
	// addrs are the addresses of the members.
	addrs map[uint64]string
}

func (r *roster) admits(addr string) bool { return slices.Contains(r.admitted, addr) }

func (r *roster) admit(addr string) {
	if !r.admits(addr) {
		r.admitted = slices.Sorted(slices.Values(append(slices.Clone(r.admitted), addr)))
	}
}

func (r *roster) dismiss(addr string) {
	r.admitted = slices.DeleteFunc(slices.Clone(r.admitted), func(a string) bool { return a == addr })
}

// at returns the members at an address, sorted.
func (r *roster) at(addr string) []uint64 {
	var ids []uint64
	for id, a := range r.addrs {
		if a == addr {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// prune removes those that are no longer members.
func (r *roster) prune(conf *pb.ConfState) {
	maps.DeleteFunc(r.addrs, func(id uint64, _ string) bool { return !isMember(conf, id) })
}

func (r *roster) clone() roster {
	return roster{clusterID: r.clusterID, admitted: r.admitted, addrs: maps.Clone(r.addrs)}
}

// isVoter reports whether the member counts in a majority.
func isVoter(conf *pb.ConfState, id uint64) bool {
	return slices.Contains(conf.GetVoters(), id) || slices.Contains(conf.GetVotersOutgoing(), id)
}

func isMember(conf *pb.ConfState, id uint64) bool {
	return isVoter(conf, id) || slices.Contains(conf.GetLearners(), id) || slices.Contains(conf.GetLearnersNext(), id)
}

func (w *writer) roster(r *roster) {
	w.Fixed(r.clusterID)
	w.Texts(r.admitted)
	w.addrs(r.addrs)
}

func (w *writer) addrs(addrs map[uint64]string) {
	w.Uint(uint64(len(addrs)))
	for _, id := range slices.Sorted(maps.Keys(addrs)) {
		w.Fixed(id)
		w.Text(addrs[id])
	}
}

func (r *reader) roster() roster {
	return roster{clusterID: r.Fixed(), admitted: r.Texts(), addrs: r.addrs()}
}

func (r *reader) addrs() map[uint64]string {
	addrs := map[uint64]string{}
	for range r.Count() {
		if r.Bad() {
			break
		}
		id := r.Fixed()
		addrs[id] = r.Text()
	}
	return addrs
}

// snapshotData is the data of a snapshot: the roster, then the state.
func snapshotData(r *roster, stateBytes []byte) []byte {
	w := newWriter(make([]byte, 0, len(stateBytes)+256))
	w.roster(r)
	return append(w.Buf, stateBytes...)
}

// openSnapshot reads the data of a snapshot.
func openSnapshot(data []byte) (roster, *state.State, error) {
	r := newReader(data)
	members := r.roster()
	if r.Bad() {
		return roster{}, nil, fmt.Errorf("raft: members in a snapshot: %w", errMalformed)
	}
	s, err := state.Restore(r.Buf)
	if err != nil {
		return roster{}, nil, fmt.Errorf("raft: %w", err)
	}
	return members, s, nil
}
