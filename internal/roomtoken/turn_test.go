package roomtoken

import (
	"errors"
	"testing"
	"time"
)

func TestTURNCredentials(t *testing.T) {
	key, _ := NewKey([]byte("a secret of sixteen bytes or more"))
	other, _ := NewKey([]byte("another secret of sixteen bytes"))
	now := time.Now()
	username, password := key.TURN("alice", now.Add(time.Hour))
	who, want, err := key.OpenTURN(username, now)
	if err != nil || who != "alice" || want != password {
		t.Errorf("%q, %v", who, err)
	}
	if who, want, err := key.OpenTURN(username, now.Add(time.Hour)); !errors.Is(err, ErrExpired) || who != "alice" || want != password {
		t.Errorf("an hour later: %q, %v", who, err)
	}
	if _, p, _ := other.OpenTURN(username, now); p == password {
		t.Error("another cluster has the same password")
	}
	if string(key.secret) == string(key.turn) {
		t.Error("tokens and TURN have the same key")
	}
	later, _ := key.TURN("alice", now.Add(48*time.Hour))
	if _, p, _ := key.OpenTURN(later, now); p == password {
		t.Error("the password is good for another time")
	}
	for _, username := range []string{"", "alice", "x:alice", ":alice", "99999999999:"} {
		if _, _, err := key.OpenTURN(username, now); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", username, err)
		}
	}
}
