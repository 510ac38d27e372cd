// Package roomtoken makes and checks the tokens with which people enter rooms:
// JSON Web Tokens, signed with a key that the portals of a cluster share
// (HS256). A portal checks one without asking anybody.
package roomtoken

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/muster-fleet/muster/internal/room"
)

// MinKey is the least length of a key, in bytes.
const MinKey = 16

// DefaultLife is how long a token is good for.
const DefaultLife = 12 * time.Hour

// The errors of Check, for errors.Is.
var (
	ErrExpired = errors.New("roomtoken: the token has expired: ask for a new one")
	ErrInvalid = errors.New("roomtoken: the token is not one of this cluster")
)

// Key signs and checks. turn is the key of credentials for TURN.
type Key struct{ secret, turn []byte }

// NewKey takes the secret of a cluster. Tokens, and credentials for TURN, are
// signed with keys that are derived from it, so that no other use of the secret
// can make one.
func NewKey(secret []byte) (Key, error) {
	if len(secret) < MinKey {
		return Key{}, fmt.Errorf("roomtoken: the key must have %d bytes or more, not %d", MinKey, len(secret))
	}
	return Key{sign(secret, "muster rooms, version 1"), sign(secret, "muster turn, version 1")}, nil
}

func sign(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// Claims are what a token says.
type Claims struct {
	Room string
	User string
	Role room.Role
	// Participant makes it a ticket: proof that the client is that one.
	Participant string
}

type wireClaims struct {
	jwt.RegisteredClaims
	Room        string    `json:"room"`
	Role        room.Role `json:"role"`
	Participant string    `json:"participant,omitempty"`
}

// Check says what is wrong with claims.
func (c Claims) Check() error {
	if err := cmp.Or(room.CheckName("room", c.Room), room.CheckName("user", c.User)); err != nil {
		return err
	}
	if !slices.Contains(room.Roles, c.Role) {
		return fmt.Errorf("roomtoken: the role must be one of %q, not %q", room.Roles, c.Role)
	}
	return nil
}

// Sign makes a token that is good until then.
func (k Key) Sign(c Claims, until time.Time) (string, error) {
	if err := c.Check(); err != nil {
		return "", err
	}
	return jwt.NewWithClaims(jwt.SigningMethodHS256, wireClaims{
		RegisteredClaims: jwt.RegisteredClaims{Subject: c.User, ExpiresAt: jwt.NewNumericDate(until)},
		Room:             c.Room, Role: c.Role, Participant: c.Participant,
	}).SignedString(k.secret)
}

// Open checks a token and returns what it says.
func (k Key) Open(token string, now time.Time) (Claims, error) {
	var w wireClaims
	_, err := jwt.ParseWithClaims(token, &w, func(*jwt.Token) (any, error) { return k.secret, nil },
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithExpirationRequired(),
		jwt.WithTimeFunc(func() time.Time { return now }))
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return Claims{}, ErrExpired
	case err != nil:
		return Claims{}, ErrInvalid // what exactly helps only those who guess
	}
	c := Claims{Room: w.Room, User: w.Subject, Role: w.Role, Participant: w.Participant}
	if c.Check() != nil {
		return Claims{}, ErrInvalid
	}
	return c, nil
}
