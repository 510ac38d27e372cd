package bus

import (
	"cmp"
	"crypto/tls"
	"log/slog"
)

// Options configure a connection to a message queue.
type Options struct {
	// URL is nats://host:port, tls://host:port, amqp://host:port/vhost or
	// amqps://host:port/vhost. A comma-separated list names the servers of
	// one cluster. It may contain user and password.
	URL string
	// User and Password take precedence over those of the URL.
	User, Password string
	// Token, Creds and NKey are for NATS, instead of User and Password. Creds
	// is the file of a user's JWT and seed (a server in operator mode), NKey the
	// file of a seed. Both are read again at each connection.
	Token, Creds, NKey string
	// Credentials is the file of a user of an embedded NATS server that knows its
	// users (natsbus/natsauth): role, name and seed. It is read when dialing.
	Credentials string
	// TLS is used for tls:// and amqps://, and for nats:// where it is set.
	// Nil means the system's authorities and no client certificate.
	TLS *tls.Config
	// Name is shown to the broker's operator; it may be empty.
	Name string
	// Logger logs lost and restored connections. Nil means none.
	Logger *slog.Logger
}

// Log returns the Logger, or one that discards.
func (o Options) Log() *slog.Logger {
	return cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
}
