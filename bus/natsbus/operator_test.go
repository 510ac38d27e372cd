package natsbus

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"github.com/muster-fleet/muster/bus"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// operator is who signs the accounts and users of a server in operator mode.
type operator struct {
	account nkeys.KeyPair
	opts    server.Options
}

func newOperator(t *testing.T) *operator {
	key := must(nkeys.CreateOperator())
	op := &operator{account: must(nkeys.CreateAccount())}
	claims := jwt.NewOperatorClaims(must(key.PublicKey()))
	token := must(claims.Encode(key))
	account := must(op.account.PublicKey())
	resolver := &server.MemAccResolver{}
	if err := resolver.Store(account, must(jwt.NewAccountClaims(account).Encode(key))); err != nil {
		t.Fatal(err)
	}
	op.opts = server.Options{TrustedOperators: []*jwt.OperatorClaims{must(jwt.DecodeOperatorClaims(token))}, AccountResolver: resolver}
	return op
}

// creds writes the creds file of a new user.
func (op *operator) creds(t *testing.T, change func(*jwt.UserClaims)) string {
	user := must(nkeys.CreateUser())
	claims := jwt.NewUserClaims(must(user.PublicKey()))
	if change != nil {
		change(claims)
	}
	token := must(claims.Encode(op.account))
	file := filepath.Join(t.TempDir(), "user.creds")
	if err := os.WriteFile(file, must(jwt.FormatUserConfig(token, must(user.Seed()))), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestOperatorMode: a server that takes only clients with a JWT.
func TestOperatorMode(t *testing.T) {
	op := newOperator(t)
	s := startOutside(t, op.opts)
	url := s.nats.ClientURL()
	m := newMember(t, bus.Options{URL: url, Creds: op.creds(t, nil)})
	m.works(t)
	for what, o := range map[string]bus.Options{
		"nothing":                {URL: url},
		"a user":                 {URL: url, User: "u", Password: "p"},
		"a JWT of somebody else": {URL: url, Creds: newOperator(t).creds(t, nil)},
		"an old JWT":             {URL: url, Creds: op.creds(t, func(c *jwt.UserClaims) { c.Expires = time.Now().Add(-time.Hour).Unix() })},
	} {
		if _, err := Dial(within(t), o); !errors.Is(err, bus.ErrDenied) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := Dial(within(t), bus.Options{URL: url, Creds: "/no/such.creds"}); err == nil || !strings.Contains(err.Error(), "/no/such.creds") {
		t.Errorf("a file that is not there: %v", err)
	}
}

// TestJWTExpires: a user whose JWT ends is let in again with the next one in
// the same file.
func TestJWTExpires(t *testing.T) {
	op := newOperator(t)
	s := startOutside(t, op.opts)
	file := op.creds(t, func(c *jwt.UserClaims) { c.Expires = time.Now().Add(2 * time.Second).Unix() })
	m := newMember(t, bus.Options{URL: s.nats.ClientURL(), Creds: file})
	next, err := os.ReadFile(op.creds(t, nil))
	if err == nil {
		err = os.WriteFile(file, next, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	m.await(t, false)
	m.await(t, true)
	m.works(t)
}

func TestNKeyAndToken(t *testing.T) {
	user := must(nkeys.CreateUser())
	seed := filepath.Join(t.TempDir(), "user.nk")
	if err := os.WriteFile(seed, must(user.Seed()), 0o600); err != nil {
		t.Fatal(err)
	}
	withKey := startOutside(t, server.Options{Nkeys: []*server.NkeyUser{{Nkey: must(user.PublicKey())}}})
	newMember(t, bus.Options{URL: withKey.nats.ClientURL(), NKey: seed}).works(t)
	withToken := startOutside(t, server.Options{Authorization: "SECRET"})
	newMember(t, bus.Options{URL: withToken.nats.ClientURL(), Token: "SECRET"}).works(t)
	for _, o := range []bus.Options{
		{URL: withKey.nats.ClientURL()}, {URL: withKey.nats.ClientURL(), Token: "SECRET"}, {URL: withToken.nats.ClientURL(), Token: "x"},
	} {
		if _, err := Dial(within(t), o); !errors.Is(err, bus.ErrDenied) || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// TestNoRights: what a user may not do is an error, and at once.
func TestNoRights(t *testing.T) {
	none := &server.SubjectPermission{Deny: []string{"muster.rpc.>", "muster.topic.>"}}
	s := startOutside(t, server.Options{Users: []*server.User{
		{Username: "u", Password: "p", Permissions: &server.Permissions{Subscribe: none, Publish: none}},
		{Username: "none", Password: "p", Permissions: &server.Permissions{Subscribe: &server.SubjectPermission{Deny: []string{">"}}}},
	}})
	if _, err := Dial(within(t), bus.Options{URL: s.nats.ClientURL(), User: "none", Password: "p"}); !errors.Is(err, bus.ErrDenied) {
		t.Errorf("without a right to hear answers: %v", err)
	}
	c := dialT(t, bus.Options{URL: s.nats.ClientURL(), User: "u", Password: "p"})
	defer c.Close()
	member, err := c.JoinGroup(within(t), "led", func(*bus.Request) {})
	if err != nil {
		t.Fatal(err)
	}
	_, serveErr := c.Serve(within(t), "served", func(*bus.Request) {})
	_, listenErr := c.Subscribe(within(t), "topic", "#", nil)
	_, callErr := c.Call(within(t), "served", "x")
	for what, err := range map[string]error{
		"Lead": member.Lead(within(t), 1), "Serve": serveErr, "Subscribe": listenErr, "Call": callErr,
	} {
		if !errors.Is(err, bus.ErrDenied) || !strings.Contains(err.Error(), "muster.") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
