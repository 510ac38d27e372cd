// Package connlimit bounds how many connections there are that have not shown
// to be of use.
package connlimit

import (
	"container/list"
	"net"
	"net/http"
	"sync"
)

// Set bounds the number of open connections: one too many closes the oldest. So
// idle connections cannot keep out active ones, as they could if the newest were
// refused.
type Set struct {
	most int

	mu    sync.Mutex
	order list.List // of net.Conn, the oldest first
	where map[net.Conn]*list.Element
}

// New returns an empty set of at most so many.
func New(most int) *Set { return &Set{most: most, where: map[net.Conn]*list.Element{}} }

// Add makes a connection the newest of the set.
func (s *Set) Add(c net.Conn) {
	if oldest := s.add(c); oldest != nil {
		_ = oldest.Close()
	}
}

func (s *Set) add(c net.Conn) (oldest net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(c)
	if s.order.Len() >= s.most {
		oldest = s.order.Front().Value.(net.Conn)
		s.remove(oldest)
	}
	s.where[c] = s.order.PushBack(c)
	return oldest
}

// Remove takes a connection out, which may have left already.
func (s *Set) Remove(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(c)
}

func (s *Set) remove(c net.Conn) {
	if e := s.where[c]; e != nil {
		s.order.Remove(e)
		delete(s.where, c)
	}
}

// Follow is for http.Server.ConnState: it keeps all connections of a server in
// the set. One that was served becomes the newest.
func (s *Set) Follow(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew, http.StateIdle:
		s.Add(c)
	case http.StateClosed, http.StateHijacked:
		s.Remove(c)
	}
}
