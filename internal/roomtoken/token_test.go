package roomtoken

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/muster-fleet/muster/internal/room"
)

func TestTokens(t *testing.T) {
	key, err := NewKey([]byte("a secret of sixteen bytes or more"))
	if err != nil {
		t.Fatal(err)
	}
	other, _ := NewKey([]byte("another secret of sixteen bytes"))
	now := time.Now()
	want := Claims{Room: "r", User: "Zoë", Role: room.Viewer}
	token, err := key.Sign(want, now.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := key.Open(token, now); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	plain, _ := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.MapClaims{"room": "r", "sub": "x", "role": "presenter", "exp": now.Add(time.Hour).Unix()}).
		SignedString(jwt.UnsafeAllowNoneSignatureType)
	forever, _ := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"room": "r", "sub": "x", "role": "presenter"}).SignedString(key.secret)
	boss, _ := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"room": "r", "sub": "x", "role": "boss", "exp": now.Add(time.Hour).Unix()}).SignedString(key.secret)
	for name, c := range map[string]struct {
		key   Key
		token string
		at    time.Time
		want  error
	}{
		"of yesterday":       {key, token, now.Add(24 * time.Hour), ErrExpired},
		"of another cluster": {other, token, now, ErrInvalid},
		"changed":            {key, strings.Replace(token, ".", ".A", 1), now, ErrInvalid},
		"not signed":         {key, plain, now, ErrInvalid},
		"without an end":     {key, forever, now, ErrInvalid},
		"of an unknown role": {key, boss, now, ErrInvalid},
		"no token":           {key, "x", now, ErrInvalid},
	} {
		if _, err := c.key.Open(c.token, c.at); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := NewKey([]byte("short")); err == nil {
		t.Error("a short key is taken")
	}
	for _, c := range []Claims{{Room: "a/b", User: "x", Role: room.Viewer}, {Room: "a", Role: room.Viewer}, {Room: "a", User: "x", Role: "boss"}} {
		if _, err := key.Sign(c, now); err == nil {
			t.Errorf("%+v is signed", c)
		}
	}
}
