package natsserver

import (
	"errors"
	"fmt"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/natsbus/natsauth"
)

// ownUser returns the credentials with which this process connects to its own
// server, as a manager. No other process can use them: the seed is in memory only.
func (o Options) ownUser() (*natsauth.Credentials, error) {
	if o.Users == nil {
		return nil, nil
	}
	_, text, err := natsauth.NewUser(bus.Identity{Role: bus.RoleManager, Name: "this-program"})
	if err != nil {
		return nil, fmt.Errorf("natsserver: %w", err)
	}
	own, err := natsauth.ParseCredentials(text)
	return &own, err
}

func (o Options) nkeys(own *natsauth.Credentials) ([]*server.NkeyUser, error) {
	if o.User != "" || o.Token != "" {
		return nil, errors.New("natsserver: Users are instead of User and Token")
	}
	key, err := own.Key()
	if err != nil {
		return nil, fmt.Errorf("natsserver: %w", err)
	}
	var out []*server.NkeyUser
	for _, u := range append([]natsauth.User{{Identity: own.Identity, Key: key}}, o.Users...) {
		if u.Role == bus.RoleWorker && u.Name == o.Fleet {
			return nil, fmt.Errorf("natsserver: a worker must not have the cluster's name %q: it would be asked instead of the managers", o.Fleet)
		}
		out = append(out, &server.NkeyUser{Nkey: u.Key, Permissions: permissions(natsauth.AllowedTo(u.Identity, o.Fleet))})
	}
	return out, nil
}

func permissions(a natsauth.Allowed) *server.Permissions {
	p := &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: a.Publish},
		Subscribe: &server.SubjectPermission{Allow: a.Subscribe},
	}
	if a.Answers {
		p.Response = &server.ResponsePermission{MaxMsgs: natsauth.AnswersEach, Expires: natsauth.AnswerTime}
	}
	return p
}

// OwnUser is who this program is in its own server; nil where there are no Users.
func (s *Server) OwnUser() *natsauth.Credentials { return s.own }

// SetUsers replaces the Users of a server that was started with some. Connections of
// those that are gone are closed.
func (s *Server) SetUsers(users []natsauth.User) error {
	if s.own == nil {
		return errors.New("natsserver: the server was started without Users")
	}
	o := s.opts
	o.Users = users
	so, err := o.natsOptions(s.own)
	if err != nil {
		return err
	}
	if err := s.nats.ReloadOptions(so); err != nil {
		return fmt.Errorf("natsserver: NATS server: %w", err)
	}
	s.opts.Users = users
	return nil
}
