package rabbittest

import (
	"context"
	"os"
	"sync"
	"testing"
)

// Start starts a broker that belongs to the test, which fails if there is no
// RabbitMQ here. It ends with the test.
func Start(t testing.TB) *Broker {
	t.Helper()
	b, err := Launch(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Stop)
	return b
}

// Shared is a broker that the tests of one binary share. The first of them to
// ask starts it. The zero value is ready; TestMain must Stop it.
type Shared struct {
	once   sync.Once
	broker *Broker
	dir    string
	err    error
}

// Broker returns the shared broker; the test fails if it could not be started.
func (s *Shared) Broker(t testing.TB) *Broker {
	t.Helper()
	b, err := s.Launch(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Launch is Broker where there is no test, as in an example.
func (s *Shared) Launch(ctx context.Context) (*Broker, error) {
	s.once.Do(func() {
		if s.dir, s.err = os.MkdirTemp("", "rabbittest-"); s.err == nil {
			s.broker, s.err = Launch(ctx, s.dir)
		}
	})
	return s.broker, s.err
}

// Stop ends the broker, if there is one, and removes its files.
func (s *Shared) Stop() {
	if s.broker != nil {
		s.broker.Stop()
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}
