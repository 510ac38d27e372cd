package peers

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// NATSOptions are those of ServeNATS.
type NATSOptions struct {
	// Name is unique among the servers of a cluster, Listen where clients
	// connect.
	Name, Listen string
	// RoutesListen is where the other servers connect, Routes where they do;
	// both empty for one that is alone.
	RoutesListen string
	Routes       []string
	// Store is the directory of JetStream.
	Store string
	// SyncAlways has it sync each write before it answers.
	SyncAlways bool
}

// ServeNATS runs a NATS server with JetStream in this process until ctx ends.
// It is what a run starts as processes of their own.
func ServeNATS(ctx context.Context, o NATSOptions) error {
	opts := &server.Options{ServerName: o.Name, JetStream: true, StoreDir: o.Store, SyncAlways: o.SyncAlways, NoLog: true, NoSigs: true}
	var err error
	if opts.Host, opts.Port, err = hostPort(o.Listen); err != nil {
		return err
	}
	if o.RoutesListen != "" {
		opts.Cluster.Name = "musterbench"
		if opts.Cluster.Host, opts.Cluster.Port, err = hostPort(o.RoutesListen); err != nil {
			return err
		}
		for _, route := range o.Routes {
			opts.Routes = append(opts.Routes, &url.URL{Scheme: "nats", Host: route})
		}
	}
	s, err := server.NewServer(opts)
	if err != nil {
		return err
	}
	s.Start()
	defer s.WaitForShutdown()
	defer s.Shutdown()
	if !s.ReadyForConnections(10 * time.Second) {
		return fmt.Errorf("NATS server at %s: not ready after 10s", o.Listen)
	}
	<-ctx.Done()
	return nil
}

func hostPort(addr string) (string, int, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	n, err := strconv.Atoi(port)
	return host, n, err
}
