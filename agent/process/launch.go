package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// kind is all that one node is started with.
type kind struct {
	argv, env     []string
	dir           string
	user          *account   // nil is this process's own
	files         []*os.File // that it inherits, the first as firstExtra
	notifyChannel notifyChannel
	limits        limits
}

// undo is what to do, in reverse order, where a start fails or a node has
// ended.
type undo []func()

func (u *undo) add(f func()) { *u = append(*u, f) }

func (u undo) all() {
	for _, f := range slices.Backward(u) {
		f()
	}
}

// launch starts a node of some kind. build is called once the node's name is
// its own, and undo is for the files that it makes.
func (h *Host) launch(ctx context.Context, s Spec, build func(*undo) (kind, error)) (Node, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("process: node %s is not started: %w", s.ID, err)
	}
	if !validName(s.ID) {
		return nil, fmt.Errorf("process: Spec.ID: %w", nameError(s.ID))
	}
	if err := h.reserve(s.ID); err != nil {
		return nil, err
	}
	var back undo
	n, err := h.begin(s, build, &back)
	if err != nil {
		back.all()
		h.forget(s.ID)
		h.running.Done()
		return nil, fmt.Errorf("process: start node %s: %w", s.ID, err)
	}
	n.release = back.all
	h.enter(n)
	go func() {
		defer h.running.Done()
		n.run()
	}()
	return n, nil
}

func (h *Host) begin(s Spec, build func(*undo) (kind, error), back *undo) (*node, error) {
	k, err := build(back)
	defer closeAll(k.files)
	if err != nil {
		return nil, err
	}
	n := h.newNode(s, k)
	n.cmd = exec.Command(k.argv[0], k.argv[1:]...)
	n.cmd.ExtraFiles = k.files
	n.cmd.Dir, n.cmd.Env = k.dir, n.environment(k.env)
	childs, err := k.notifyChannel.prepare(n.cmd)
	defer closeAll(childs)
	if err != nil {
		return nil, err
	}
	back.add(k.notifyChannel.release)
	output, childEnd, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	n.cmd.Stdout, n.cmd.Stderr = childEnd, childEnd
	if err := n.start(output, childEnd, back); err != nil {
		return nil, errors.Join(err, output.Close())
	}
	return n, nil
}

func (h *Host) newNode(s Spec, k kind) *node {
	return &node{
		host: h, spec: s, user: k.user, limits: k.limits, notifyChannel: k.notifyChannel, log: h.opts.Logger,
		mark:  strings.Join([]string{h.id, h.run, strconv.FormatInt(h.count.Add(1), 10)}, "."),
		ready: make(chan struct{}), done: make(chan struct{}), exited: make(chan struct{}),
		sayings: make(chan saying), stopped: make(chan struct{}, 1),
	}
}

// start starts the process, records it, and begins to carry its output, which it
// writes to childEnd. If it fails, nothing runs.
func (n *node) start(output, childEnd *os.File, back *undo) error {
	sink, err := n.host.logs.Writer(n.spec.ID)
	if err != nil {
		return errors.Join(err, childEnd.Close())
	}
	err = errors.Join(n.fork(back), childEnd.Close())
	if err == nil {
		err = n.register(back)
	}
	if err != nil {
		return errors.Join(err, sink.Close())
	}
	n.output = newSpool(output, sink, n.log, &n.host.carriers)
	return nil
}

// register writes down what runs. A node that could not be found again must
// not run.
func (n *node) register(back *undo) error {
	back.add(func() { _ = os.Remove(n.host.recordPath(n.spec.ID)) })
	r := n.processTree.record()
	r.Node, r.Mark = n.spec.ID, n.mark
	err := n.host.writeRecord(r)
	if err != nil {
		n.processTree.strike()
		n.exit.wait()
		n.processTree.end()
		_ = n.exit.status()
	}
	return err
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close() // nil is one that could not be made
	}
}

// Names of variables that every node finds.
const (
	varNode     = "MUSTER_NODE"
	varAgent    = "MUSTER_AGENT"
	varPurpose  = "MUSTER_PURPOSE"
	varTask     = "MUSTER_TASK"
	varRoom     = "MUSTER_ROOM"
	varSpec     = "MUSTER_SPEC"
	varSpecFile = "MUSTER_SPEC_FILE"
	varMark     = "MUSTER_MARK"
)

// private are the variables that are about this process, or about another
// node, and must not reach a node by inheritance. Nor must those that may hold
// a password or a key: privatePrefixes.
var private = []string{
	varNode, varAgent, varPurpose, varTask, varRoom, varSpec, varSpecFile, varMark,
	"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES",
	"NODE_CHANNEL_FD", "NODE_CHANNEL_SERIALIZATION_MODE", varConfigFD,
}

var privatePrefixes = []string{"MUSTER_BUS_", "MUSTER_RAFT_", "MUSTER_ROOMS_"}

// environment is that of the node, without what its notifyChannel adds.
func (n *node) environment(extra []string) []string {
	env := slices.DeleteFunc(os.Environ(), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.Contains(private, name) || slices.ContainsFunc(privatePrefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
	})
	env = append(env, extra...)
	for _, v := range []struct{ name, value string }{
		{varNode, n.spec.ID}, {varAgent, n.spec.Agent}, {varPurpose, n.spec.Purpose}, {varTask, n.spec.Task}, {varRoom, n.spec.Room},
		{varMark, markWithin(os.Getenv(varMark), n.mark)},
	} {
		if v.value != "" {
			env = append(env, v.name+"="+v.value)
		}
	}
	return env
}

// markWithin adds a mark to those of this process, which may be a node itself: the
// agent that started it must find all that is below it.
func markWithin(outer, mark string) string {
	if outer == "" {
		return mark
	}
	return outer + ":" + mark
}
