// Package natsauth says who may do what on an embedded NATS server: a file of users,
// the files with which these get in, and the subjects that each may use.
//
// A program with credentials sends its requests to
//
//	muster.as.ROLE.NAME.SERVER
//
// instead of muster.rpc.SERVER, and hears those to its own server name on
// muster.as.*.*.SERVER. The NATS server lets a user publish below its own ROLE.NAME
// only, so that the receiver of a request knows its sender (bus.Request.Sender), and lets a
// worker hear requests to its own name only. Answers go to muster.reply.ROLE.NAME.…,
// to which only that user can subscribe. The receiver of a request may publish one
// answer, and to no other reply subject. What a sender may ask for is in the body, so
// the manager decides that.
package natsauth

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/nats-io/nkeys"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
)

// Roles are the roles of users of the queue.
var Roles = []bus.Role{bus.RoleWorker, bus.RoleCaller, bus.RoleViewer, bus.RoleOperator, bus.RoleAdmin, bus.RoleManager}

// User is a line of the file of users: ROLE NAME KEY.
type User struct {
	bus.Identity
	// Key is the public nkey.
	Key string
}

func (u User) String() string { return fmt.Sprintf("%s %s %s\n", u.Role, u.Name, u.Key) }

// NewUser makes a user, and the content of its file of credentials. The seed in it is
// nowhere else.
func NewUser(who bus.Identity) (u User, credentials string, err error) {
	if err := check(who); err != nil {
		return u, "", err
	}
	pair, err := nkeys.CreateUser()
	if err != nil {
		return u, "", err
	}
	key, err := pair.PublicKey()
	if err != nil {
		return u, "", err
	}
	seed, err := pair.Seed()
	return User{who, key}, fmt.Sprintf("%s %s %s\n", who.Role, who.Name, seed), err
}

func check(who bus.Identity) error {
	if !slices.Contains(Roles, who.Role) {
		return fmt.Errorf("role must be worker, caller, viewer, operator, admin or manager, not %q", who.Role)
	}
	if err := muster.CheckName(who.Name, muster.MaxName); err != nil {
		return fmt.Errorf("the name %w", err)
	}
	if strings.ContainsAny(who.Name, " \t#") {
		return errors.New("the name must not have blanks or #")
	}
	return nil
}

// ReadUsers reads a file of users. Its error names the line.
func ReadUsers(path string) ([]User, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("users of the queue: %w: make the file with `muster auth init --users %s`", err, path)
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err == nil && info.Mode().Perm()&0o022 != 0 {
		return nil, fmt.Errorf("users of the queue: others may write %s: chmod 600 %s", path, path)
	}
	users, err := parseUsers(f)
	if err != nil {
		return nil, fmt.Errorf("users of the queue: %s: %w", path, err)
	}
	return users, nil
}

func parseUsers(r io.Reader) ([]User, error) {
	var users []User
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.Fields(text)
		if len(fields) == 0 {
			continue
		}
		u, err := parseUser(fields)
		if err == nil {
			err = conflict(users, u)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		users = append(users, u)
	}
	return users, lines.Err()
}

func parseUser(fields []string) (User, error) {
	if len(fields) != 3 {
		return User{}, errors.New("must be ROLE NAME KEY")
	}
	u := User{bus.Identity{Role: bus.Role(fields[0]), Name: fields[1]}, fields[2]}
	if !nkeys.IsValidPublicUserKey(u.Key) {
		return u, errors.New("the key must be a public nkey, which begins with U")
	}
	return u, check(u.Identity)
}

// conflict refuses a user that another could be taken for: of the same role and name,
// or a worker whose name is that of another worker's node.
func conflict(users []User, u User) error {
	for _, other := range users {
		switch {
		case other.Identity == u.Identity:
			return fmt.Errorf("the %s %q is there twice", u.Role, u.Name)
		case other.Key == u.Key:
			return fmt.Errorf("%q and %q have the same key", other.Name, u.Name)
		case other.Role == bus.RoleWorker && u.Role == bus.RoleWorker && (nodeOf(u.Name, other.Name) || nodeOf(other.Name, u.Name)):
			return fmt.Errorf("the worker %q would be named like a node of %q: choose a name that does not end with _ and a number", u.Name, other.Name)
		}
	}
	return nil
}

func nodeOf(name, worker string) bool {
	host, _, ok := splitNode(name)
	return ok && host == worker
}

// CheckNew returns why a user cannot be added to a file of users.
func CheckNew(users []User, u User) error { return conflict(users, u) }

// Credentials are what a file of credentials says.
type Credentials struct {
	bus.Identity
	pair nkeys.KeyPair
}

// ReadCredentials reads a file of credentials.
func ReadCredentials(path string) (Credentials, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Credentials{}, fmt.Errorf("credentials: %w", err)
	}
	c, err := ParseCredentials(string(text))
	if err != nil {
		return Credentials{}, fmt.Errorf("credentials: %s: %w", path, err)
	}
	return c, nil
}

// ParseCredentials reads the content of a file of credentials.
func ParseCredentials(text string) (Credentials, error) {
	fields := strings.Fields(text)
	if len(fields) != 3 {
		return Credentials{}, errors.New("must be one line, ROLE NAME SEED, as `muster auth add` writes it")
	}
	c := Credentials{Identity: bus.Identity{Role: bus.Role(fields[0]), Name: fields[1]}}
	err := check(c.Identity)
	if err == nil {
		c.pair, err = nkeys.FromSeed([]byte(fields[2]))
	}
	return c, err
}

// Key is the public nkey.
func (c Credentials) Key() (string, error) { return c.pair.PublicKey() }

// Sign proves to the server that the owner of the key is there.
func (c Credentials) Sign(nonce []byte) ([]byte, error) { return c.pair.Sign(nonce) }
