package httpapi

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/muster-fleet/muster"
)

// A Role is what a caller may do.
type Role string

// The roles. A viewer reads. A caller places tasks and gives them up, and reads what
// concerns these. An operator does what both do, and drains, cordons and steers. An
// admin may do everything.
const (
	Viewer   Role = "viewer"
	Caller   Role = "caller"
	Operator Role = "operator"
	Admin    Role = "admin"
)

// Roles are all of them.
var Roles = []Role{Viewer, Caller, Operator, Admin}

// ParseRole returns the role of that name. Its error lists the names that exist.
func ParseRole(name string) (Role, error) {
	if slices.Contains(Roles, Role(name)) {
		return Role(name), nil
	}
	return "", fmt.Errorf("role must be viewer, caller, operator or admin, not %q", name)
}

// includes are the roles whose rights each role has.
var includes = map[Role][]Role{
	Viewer:   {Viewer},
	Caller:   {Caller},
	Operator: {Viewer, Caller, Operator},
	Admin:    {Viewer, Caller, Operator, Admin},
}

// may reports whether the role has the rights of one of these.
func (r Role) may(any ...Role) bool {
	return slices.ContainsFunc(any, func(want Role) bool { return slices.Contains(includes[r], want) })
}

// user is a caller who was let in.
type user struct {
	Name string // "" on a server without tokens
	Role Role
	From string // the address
}

// everyone is the caller of a server without tokens.
func everyone(from string) user { return user{Role: Admin, From: from} }

type userKey struct{}

// againKey is for a func() bool that reports whether the caller of a request still has
// its role after another reading of the file.
type againKey struct{}

func callerOf(ctx context.Context) user {
	u, _ := ctx.Value(userKey{}).(user)
	return u
}

// tokenPrefix makes a token recognizable to people and to scanners for secrets.
const tokenPrefix = "muster_"

// byCertificate stands in the file in the place of a hash.
const byCertificate = "certificate"

// Auth is a file of callers, a line each: "NAME ROLE SHA256" for a token, "NAME ROLE
// certificate" for a client certificate of that name. The tokens
// themselves, 256 random bits, are nowhere but with their owners.
type Auth struct {
	path  string
	known atomic.Pointer[callers]
}

// callers are those of the file.
type callers struct {
	tokens map[[sha256.Size]byte]user
	// certificates are by the name in them.
	certificates map[string]user
	// replaced is closed when the file was read again.
	replaced chan struct{}
}

// OpenAuth reads the file.
func OpenAuth(path string) (*Auth, error) {
	a := &Auth{path: path}
	return a, a.Reload()
}

// Reload reads the file again. What is wrong with it changes nothing.
func (a *Auth) Reload() error {
	f, err := os.Open(a.path)
	if err != nil {
		return fmt.Errorf("tokens: %w: make the file with `muster auth init --file %s`", err, a.path)
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err == nil && info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("tokens: others may write %s: chmod 600 %s", a.path, a.path)
	}
	known, err := readCallers(f)
	if err != nil {
		return fmt.Errorf("tokens: %s: %w", a.path, err)
	}
	if before := a.known.Swap(&known); before != nil {
		close(before.replaced)
	}
	return nil
}

// replaced is closed when the file is read again. On a server without tokens it never is.
func (a *Auth) replaced() <-chan struct{} {
	if a == nil {
		return nil
	}
	return a.known.Load().replaced
}

// Names lists the callers that the file lets in, each with its role, for the audit.
func (a *Auth) Names() string {
	var names []string
	known := a.known.Load()
	for _, u := range known.tokens {
		names = append(names, u.Name+" ("+string(u.Role)+")")
	}
	for _, u := range known.certificates {
		names = append(names, u.Name+" ("+string(u.Role)+", certificate)")
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func readCallers(r io.Reader) (callers, error) {
	known := callers{tokens: map[[sha256.Size]byte]user{}, certificates: map[string]user{}, replaced: make(chan struct{})}
	names := map[string]bool{}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.Fields(text)
		if len(fields) == 0 {
			continue
		}
		u, sum, err := readCaller(fields)
		if err == nil && names[u.Name] {
			err = fmt.Errorf("the name %q is there twice", u.Name)
		}
		if err != nil {
			return callers{}, fmt.Errorf("line %d: %w", n, err)
		}
		names[u.Name] = true
		if fields[2] == byCertificate {
			known.certificates[u.Name] = u
		} else {
			known.tokens[sum] = u
		}
	}
	return known, lines.Err()
}

func readCaller(fields []string) (u user, sum [sha256.Size]byte, err error) {
	if len(fields) != 3 {
		return u, sum, errors.New("must be NAME ROLE SHA256, or NAME ROLE certificate")
	}
	role, err := ParseRole(fields[1])
	if err != nil {
		return u, sum, err
	}
	if err := muster.CheckName(fields[0], muster.MaxName); err != nil {
		return u, sum, fmt.Errorf("the name %w", err)
	}
	u = user{Name: fields[0], Role: role}
	if fields[2] == byCertificate {
		return u, sum, nil
	}
	digest, err := hex.DecodeString(fields[2])
	if err != nil || len(digest) != len(sum) {
		return u, sum, errors.New("the hash must be 64 hexadecimal digits")
	}
	copy(sum[:], digest)
	return u, sum, nil
}

// NewToken makes a token, and returns it with the line of the file that lets it in.
func NewToken(name string, role Role) (token, line string, err error) {
	if err := checkCaller(name); err != nil {
		return "", "", err
	}
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails
	token = tokenPrefix + hex.EncodeToString(random[:])
	sum := sha256.Sum256([]byte(token))
	return token, fmt.Sprintf("%s %s %s\n", name, role, hex.EncodeToString(sum[:])), nil
}

// CertificateLine returns the line of the file that lets in a client certificate
// with that common name or DNS name.
func CertificateLine(name string, role Role) (string, error) {
	if err := checkCaller(name); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s %s %s\n", name, role, byCertificate), nil
}

func checkCaller(name string) error {
	if err := muster.CheckName(name, muster.MaxName); err != nil {
		return fmt.Errorf("the name %w", err)
	}
	if strings.ContainsAny(name, " \t#") {
		return errors.New("the name must not have blanks or #")
	}
	return nil
}

// who returns whose token it is. The hash is looked up and not the token, so that the
// time that it takes says nothing about tokens.
func (a *Auth) who(token string) (user, bool) {
	u, ok := a.known.Load().tokens[sha256.Sum256([]byte(token))]
	return u, ok
}

// whoShows returns whose certificate was shown and verified.
func (a *Auth) whoShows(t *tls.ConnectionState) (user, bool) {
	if t == nil || len(t.VerifiedChains) == 0 {
		return user{}, false
	}
	shown := t.VerifiedChains[0][0]
	for _, name := range append([]string{shown.Subject.CommonName}, shown.DNSNames...) {
		if u, ok := a.known.Load().certificates[name]; ok {
			return u, true
		}
	}
	return user{}, false
}

// authenticate identifies the caller by its token, or without one by its certificate,
// and refuses unknown ones.
func (s *Server) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u, ctx := everyone(r.RemoteAddr), r.Context()
		if s.opts.Auth != nil {
			token, given := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
			find := func() (user, bool) { return s.opts.Auth.who(token) }
			if !given {
				find = func() (user, bool) { return s.opts.Auth.whoShows(r.TLS) }
			}
			known, ok := find()
			if !ok {
				s.measures.denied.Inc()
				w.Header().Set("WWW-Authenticate", `Bearer realm="muster"`)
				detail := "send a token: Authorization: Bearer muster_..."
				if given {
					detail = "the token is not, or no longer, known here"
				}
				problem(w, http.StatusUnauthorized, detail)
				return
			}
			ctx = context.WithValue(ctx, againKey{}, func() bool { now, ok := find(); return ok && now == known })
			u = known
			u.From = r.RemoteAddr
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(ctx, userKey{}, u)))
	})
}

// stillKnown reports whether the caller of a request that goes on has its role still.
func stillKnown(ctx context.Context) bool {
	again, ok := ctx.Value(againKey{}).(func() bool)
	return !ok || again()
}

// needs refuses callers without the rights of one of these roles.
func (s *Server) needs(next http.Handler, roles ...Role) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u := callerOf(r.Context()); !u.Role.may(roles...) {
			s.measures.denied.Inc()
			problem(w, http.StatusForbidden, denied(u, roles))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func denied(u user, roles []Role) string {
	names := make([]string, len(roles))
	for i, role := range roles {
		names[i] = string(role)
	}
	return fmt.Sprintf("%s is a %s: this needs the role %s", u.Name, u.Role, strings.Join(names, " or "))
}
