package raft

import (
	"context"
	"fmt"
	"log/slog"
)

// libraryLog logs what the library logs: all but errors at the level Debug.
type libraryLog struct{ log *slog.Logger }

func (l libraryLog) Debug(v ...any)              { l.log.Debug(fmt.Sprint(v...)) }
func (l libraryLog) Debugf(f string, v ...any)   { l.debugf(f, v...) }
func (l libraryLog) Info(v ...any)               { l.log.Debug(fmt.Sprint(v...)) }
func (l libraryLog) Infof(f string, v ...any)    { l.debugf(f, v...) }
func (l libraryLog) Warning(v ...any)            { l.log.Debug(fmt.Sprint(v...)) }
func (l libraryLog) Warningf(f string, v ...any) { l.debugf(f, v...) }
func (l libraryLog) Error(v ...any)              { l.log.Error(fmt.Sprint(v...)) }
func (l libraryLog) Errorf(f string, v ...any)   { l.log.Error(fmt.Sprintf(f, v...)) }
func (l libraryLog) Fatal(v ...any)              { l.Panic(v...) }
func (l libraryLog) Fatalf(f string, v ...any)   { l.Panicf(f, v...) }
func (l libraryLog) Panic(v ...any)              { panic(fmt.Sprint(v...)) }
func (l libraryLog) Panicf(f string, v ...any)   { panic(fmt.Sprintf(f, v...)) }

func (l libraryLog) debugf(f string, v ...any) {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.log.Debug(fmt.Sprintf(f, v...))
	}
}
