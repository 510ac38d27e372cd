package media

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muster-fleet/muster"
)

// halves serves the first half of a film to each who asks, with the headers that
// are given and without ranges, and then ends the connection.
func halves(t *testing.T, clip, headers string, write func(net.Conn, string)) string {
	t.Helper()
	film := read(t, clipOf(t, clip))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
					return
				}
				_, _ = fmt.Fprintf(conn, headers+"\r\n\r\n", len(film))
				write(conn, film[:len(film)/2])
			}()
		}
	}()
	return "http://" + l.Addr().String() + "/" + clip
}

func plainly(conn net.Conn, text string) { _, _ = conn.Write([]byte(text)) }

// inChunks breaks off between two chunks, where ffmpeg takes it for the end.
func inChunks(conn net.Conn, text string) {
	for ; len(text) > 0; text = text[min(1000, len(text)):] {
		chunk := text[:min(1000, len(text))]
		_, _ = fmt.Fprintf(conn, "%x\r\n%s\r\n", len(chunk), chunk)
	}
}

func inAChunk(conn net.Conn, text string) {
	_, _ = fmt.Fprintf(conn, "%x\r\n%s", 2*len(text), text)
}

// What a web server breaks off, and cannot go on with, is short in each kind: it
// does not begin again behind what has come, however often it is tried.
func TestAServerThatKnowsNoRanges(t *testing.T) {
	cases := map[string]struct {
		clip, headers string
		write         func(net.Conn, string)
	}{
		"length": {"film.mkv", "HTTP/1.1 200 OK\r\nContent-Length: %d", plainly},
		"chunks": {"film.mkv", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Size: %d", inChunks},
		"chunk":  {"film.ts", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Size: %d", inAChunk},
		"close":  {"film.mkv", "HTTP/1.0 200 OK\r\nX-Size: %d", plainly},
	}
	for _, with := range tools(t) {
		for name, c := range cases {
			for _, kind := range []string{Record, Stream, Transcode, Analyse} {
				t.Run(with.Version+"/"+name+"/"+kind, func(t *testing.T) {
					t.Parallel()
					row := tableRow{clip: c.clip, kind: kind}
					spec, _ := row.spec(t, halves(t, c.clip, c.headers, c.write), filepath.Join(t.TempDir(), "out"))
					spec = json.RawMessage(strings.Replace(string(spec), `"realtime":false,`, "", 1))
					if kind == Record && c.clip == "film.mkv" { // a film is not begun again either
						spec = json.RawMessage(strings.Replace(string(spec), "{", `{"retry_seconds":60,`, 1))
					}
					err := workWith(t, with, kind, Options{}).run(within(t), spec, "n1", newWatcher())
					var says causedError
					if err == nil || !strings.Contains(err.Error(), "the input ends early") || !errors.As(err, &says) || says.cause != muster.CausePassing {
						t.Errorf("half of it is the error %v", err)
					}
				})
			}
		}
	}
}

// A playlist that lacks a segment in the middle is short: its end is where it
// should be.
func TestAPlaylistThatLacksASegment(t *testing.T) {
	for _, with := range tools(t) {
		for _, kind := range []string{Record, Transcode, Analyse} {
			t.Run(with.Version+"/"+kind, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				generate(t, filepath.Join(dir, "x.m3u8"), "-i", clipOf(t, "film.ts"), "-c", "copy", "-hls_time", "1", "-hls_list_size", "0")
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/x1.ts" {
						http.NotFound(w, r)
						return
					}
					http.FileServer(http.Dir(dir)).ServeHTTP(w, r)
				}))
				t.Cleanup(server.Close)
				row := tableRow{clip: "film.ts", kind: kind, more: `"on_short": "fail"`}
				spec, _ := row.spec(t, server.URL+"/x.m3u8", filepath.Join(t.TempDir(), "out"))
				work := workWith(t, with, kind, Options{})
				if err := work.run(within(t), spec, "n1", newWatcher()); err == nil || !strings.Contains(err.Error(), "1 segment of the playlist could not be read") {
					t.Errorf("without a segment it is the error %v", err)
				}
				spec = json.RawMessage(strings.Replace(string(spec), `"fail"`, `"warn", "existing": "replace"`, 1))
				if kind == Analyse {
					spec = json.RawMessage(strings.Replace(string(spec), `, "existing": "replace"`, "", 1))
				}
				w := newWatcher()
				if err := work.run(within(t), spec, "n1", w); err != nil || !strings.Contains(inJSONText(w.last()), `"name":"short"`) {
					t.Errorf("taken as it is: %v, %s", err, inJSONText(w.last()))
				}
			})
		}
	}
}

// What is live goes on behind a gap: that is a warning.
func TestALivePlaylistThatLacksASegment(t *testing.T) {
	said, warn := &journal{}, warnings{}
	_, _ = said.Write([]byte("[info] Input #0, hls, from 'http://a/x.m3u8':\n[info]   Duration: N/A, start: 1.4, bitrate: N/A\n" +
		"[hls @ 0x1] [warning] Failed to open segment 1 of playlist 0\n[http @ 0x1] [error] Stream ends prematurely at 9, should be 10\n"))
	if err := (promise{input: place{scheme: "http"}}).kept(said, 10, &warn); err != nil || len(warn) != 1 || warn[0].Name != WarnDamaged || !strings.HasPrefix(warn[0].Text, "2 segments") {
		t.Errorf("%v, %v", err, warn)
	}
}
