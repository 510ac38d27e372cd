package roombench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/rtcload"
)

// contender is a server that is measured, with the way to it. Client i is the
// same person in publish and in subscribe.
type contender interface {
	publish(ctx context.Context, i int, rids []string, tracks []room.Track) (*rtcload.Publisher, error)
	subscribe(ctx context.Context, i int, tracks []room.Track) (*rtcload.Subscriber, error)
	usage() (usage, error)
	close()
}

func start(ctx context.Context, o Options, kind string, s shape) (contender, error) {
	if kind == LiveKit {
		return startLiveKit(ctx, o.LiveKit, s)
	}
	p, out, err := launch(ctx, append(o.Server, kind))
	if err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		p.close()
		return nil, fmt.Errorf("the server did not start: %s", p.said)
	}
	return &own{p, strings.TrimSpace(line)}, nil
}

// process is that of a server.
type process struct {
	cmd  *exec.Cmd
	said *bytes.Buffer // on standard error; to be read after close
}

// launch starts a program, with more variables in its environment.
func launch(ctx context.Context, argv []string, env ...string) (*process, io.Reader, error) {
	p := &process{cmd: exec.CommandContext(ctx, argv[0], argv[1:]...), said: &bytes.Buffer{}}
	p.cmd.Env, p.cmd.Stderr = append(os.Environ(), env...), p.said
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	return p, out, err
}

// usage is what a server has used since its start.
type usage struct {
	cpu    time.Duration
	memory int64 // resident, in bytes
}

func (p *process) usage() (usage, error) { return usageOf(p.cmd.Process.Pid) }

func (p *process) close() {
	_ = p.cmd.Process.Signal(os.Interrupt)
	late := time.AfterFunc(20*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	_ = p.cmd.Wait() // its exit status does not matter: it was interrupted
}

// own is a server that this program can be.
type own struct {
	*process
	url string
}

var benchClient = rtcload.Client{Feedback: true}

func (o *own) publish(ctx context.Context, i int, rids []string, tracks []room.Track) (*rtcload.Publisher, error) {
	return benchClient.Publish(ctx, o.offer, "bench", fmt.Sprintf("p%d", i), rids, tracks...)
}

func (o *own) subscribe(ctx context.Context, i int, tracks []room.Track) (*rtcload.Subscriber, error) {
	return benchClient.Subscribe(ctx, o.offer, "bench", fmt.Sprintf("s%d", i), nil, tracks...)
}

func (o *own) offer(ctx context.Context, offer room.Offer) (string, error) {
	body, err := json.Marshal(offer)
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, o.url+"/offer", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = errors.New(strings.TrimSpace(string(text)))
	}
	return string(text), err
}
