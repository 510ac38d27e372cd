package natsserver

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"

	"github.com/nats-io/nats-server/v2/server"
)

// serverLog is the logger of nats-server. It logs notices, mostly a banner, at Debug.
type serverLog struct {
	log *slog.Logger
	// fatal receives fatal errors, for which nats-server's own logger would exit
	// the program.
	fatal chan string
}

var _ server.Logger = (*serverLog)(nil)

func newServerLog(log *slog.Logger) *serverLog {
	log = cmp.Or(log, slog.New(slog.DiscardHandler)).With("component", "nats-server")
	return &serverLog{log: log, fatal: make(chan string, 1)}
}

func (l *serverLog) say(level slog.Level, format string, v []any) {
	if l.log.Enabled(context.Background(), level) {
		l.log.Log(context.Background(), level, fmt.Sprintf(format, v...))
	}
}

func (l *serverLog) Noticef(format string, v ...any) { l.say(slog.LevelDebug, format, v) }
func (l *serverLog) Warnf(format string, v ...any)   { l.say(slog.LevelWarn, format, v) }
func (l *serverLog) Errorf(format string, v ...any)  { l.say(slog.LevelError, format, v) }
func (l *serverLog) Debugf(format string, v ...any)  { l.say(slog.LevelDebug, format, v) }
func (l *serverLog) Tracef(format string, v ...any)  { l.say(slog.LevelDebug, format, v) }

func (l *serverLog) Fatalf(format string, v ...any) {
	l.say(slog.LevelError, format, v)
	select {
	case l.fatal <- fmt.Sprintf(format, v...):
	default:
	}
}
