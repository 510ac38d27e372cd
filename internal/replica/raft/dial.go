package raft

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"
)

// dialTime bounds the opening of a connection.
const dialTime = time.Second

// dialer opens connections to other managers and authenticates them.
type dialer struct {
	handshake *handshake
	tls       *tls.Config // nil without TLS
}

func (d *dialer) dial(ctx context.Context, addr string, kind byte) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	var nd net.Dialer
	conn, err := nd.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	inner := conn
	if d.tls != nil {
		inner = tls.Client(conn, clientTLS(d.tls, addr))
	}
	s, err := d.handshake.dial(inner, addr, kind)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("manager at %s: %w", addr, err)
	}
	return s, nil
}

func clientTLS(base *tls.Config, addr string) *tls.Config {
	cfg := base.Clone()
	cfg.MinVersion = tls.VersionTLS13
	if cfg.ServerName == "" {
		cfg.ServerName, _, _ = net.SplitHostPort(addr)
	}
	return cfg
}

// serverTLS requires a certificate of each client.
func serverTLS(base *tls.Config) *tls.Config {
	cfg := base.Clone()
	cfg.MinVersion = tls.VersionTLS13
	cfg.ClientAuth = tls.RequireAndVerifyClientCert
	if cfg.ClientCAs == nil {
		cfg.ClientCAs = cfg.RootCAs
	}
	return cfg
}
