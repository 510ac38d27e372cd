package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func shell(script string) *run {
	return &run{program: "/bin/sh", args: []string{"-c", script}, grace: time.Minute, stdout: func(r io.Reader) { _, _ = io.Copy(io.Discard, r) }}
}

func TestRunKeepsTheLastLines(t *testing.T) {
	t.Parallel()
	err := shell(`i=0; while [ $i -lt 50 ]; do echo "line $i" >&2; i=$((i+1)); done
		echo 'rtmp://name:password@host/x: refused' >&2; printf '%05000d' 1 >&2; exit 3`).do(within(t))
	var failed *ToolError
	if !errors.As(err, &failed) || failed.Err.Error() != "exit status 3" {
		t.Fatalf("ended with %v", err)
	}
	if len(failed.Lines) != tailLines || failed.Lines[0] != "line 44" || len(failed.Lines[7]) != tailBytes {
		t.Errorf("kept %q", failed.Lines)
	}
	if strings.Contains(err.Error(), "password") || !strings.Contains(err.Error(), "rtmp://***@host/***: refused") {
		t.Errorf("the error is %v", err)
	}
}

func TestRunOfNoProgram(t *testing.T) {
	t.Parallel()
	r := shell("")
	r.program = "/no/such/ffmpeg"
	if err := r.do(within(t)); err == nil || !strings.Contains(err.Error(), "/no/such/ffmpeg") {
		t.Errorf("no program is the error %v", err)
	}
}

// A program that does not heed the interrupt is killed.
func TestRunKillsAfterGrace(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(within(t))
	r := shell(`trap '' INT; echo ready; exec sleep 1000`)
	r.grace = 50 * time.Millisecond
	r.stdout = func(in io.Reader) { eachLine(in, longLine, func(string) { cancel() }) }
	if err := r.do(ctx); err == nil || !strings.Contains(err.Error(), "was killed") || errors.Is(err, errFinished) {
		t.Errorf("ended with %v", err)
	}
}

func TestRunAsksToFinish(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(within(t))
	said := ""
	r := shell(`trap 'echo whole; exit 255' INT; echo ready; while :; do sleep 0.01; done`)
	r.stdout = func(in io.Reader) {
		eachLine(in, longLine, func(line string) { said += line + " "; cancel() })
	}
	if err := r.do(ctx); !errors.Is(err, errFinished) || !errors.Is(err, context.Canceled) || said != "ready whole " {
		t.Errorf("ended with %v, and said %q", err, said)
	}
}

// What is live is tried again with longer and longer pauses, until patience is
// at an end; success begins anew.
func TestPersistence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		var at []float64
		begin := time.Now()
		p := persistence{patience: 6, retry: func(error) {}, run: func(context.Context) (float64, bool, error) {
			at = append(at, time.Since(begin).Seconds())
			if len(at) == 3 {
				return 1, false, nil
			}
			return 0, false, broken
		}}
		if err := p.do(t.Context()); !errors.Is(err, broken) {
			t.Errorf("ended with %v", err)
		}
		if got := fmt.Sprint(at); got != "[0 0.5 1.5 2 3 5 9]" {
			t.Errorf("ran at the seconds %s", got)
		}
	})
}

func TestPersistenceEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		runs := 0
		once := func(whole bool) func(context.Context) (float64, bool, error) {
			return func(context.Context) (float64, bool, error) { runs++; return 1, whole, nil }
		}
		retry := func(error) {}
		_ = persistence{patience: 0, retry: retry, run: once(false)}.do(t.Context())
		_ = persistence{patience: 9, retry: retry, run: once(true)}.do(t.Context())
		if runs != 2 {
			t.Errorf("ran %d times, not once each", runs)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2750*time.Millisecond)
		defer cancel()
		runs = 0
		_ = persistence{patience: 100, retry: retry, run: once(false)}.do(ctx)
		if runs != 6 { // each does something, so the pause stays at half a second
			t.Errorf("ran %d times in 2.75 s, not 6", runs)
		}
	})
}

// The key of a channel is in what follows the host of RTMP, and SRT's are in its query.
func TestRedact(t *testing.T) {
	for text, want := range map[string]string{
		"rtmp://host:1935/app/key: Connection refused":           "rtmp://host:1935/***: Connection refused",
		"[out#0/flv @ 0x5] Error opening 'rtmps://h/a/k?x=y:z'.": "[out#0/flv @ 0x5] Error opening 'rtmps://h/***'.",
		"rtmp://name:password@host/app/key":                      "rtmp://***@host/***",
		"srt://host:1?mode=caller&passphrase=abc&latency=9":      "srt://host:1?mode=caller&passphrase=***&latency=9",
		"http://host/film.ts: 404":                               "http://host/film.ts: 404",
		"rtmp://host/: refused":                                  "rtmp://host/: refused",
	} {
		if got := redact(text); got != want {
			t.Errorf("%s becomes %s; want %s", text, got, want)
		}
	}
}
