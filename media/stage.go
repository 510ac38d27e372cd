package media

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/store"
	"github.com/muster-fleet/muster/node"
)

// stageMount is the mount in which a task finds its files that are elsewhere.
const stageMount = "muster-stage"

// stageAge is how old a directory is that a killed node has left.
const stageAge = 7 * 24 * time.Hour

// stagedWork is the work of a kind whose inputs may be objects of S3, and whose
// results may become such objects, or be sent by PUT over HTTP. They come and go
// as wholes: the work itself sees files.
type stagedWork struct {
	kind  string
	tool  *Tool
	opts  Options
	plain plainWork
}

// plainWork is the work of a kind on files.
type plainWork interface {
	node.Work
	run(ctx context.Context, spec json.RawMessage, name string, out teller) error
}

// stagedKinds are those whose results are files that are written once.
var stagedKinds = []string{Transcode, Package, Thumbnails, Mix}

func (s stagedWork) Check(spec json.RawMessage) error {
	plan, err := s.remote(spec)
	if err != nil {
		return err
	}
	if plan == nil {
		return s.plain.Check(spec)
	}
	if err := plan.reaches(); err != nil {
		return err
	}
	dir, err := plan.stage(s.opts)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, in := range plan.inputs { // only its name counts yet
		if err := os.WriteFile(filepath.Join(dir, in.local), nil, 0o600); err != nil {
			return fmt.Errorf("input: %w", err)
		}
	}
	inner, err := s.within(dir)
	if err != nil {
		return err
	}
	return inner.Check(plan.spec)
}

func (s stagedWork) Do(ctx context.Context, t *node.Task) error {
	err := s.run(ctx, t.Spec, t.Node, t)
	if err != nil && ctx.Err() != nil && slices.Contains(wholeKinds, s.kind) {
		return node.ErrUnfinished
	}
	return err
}

// wholeKinds have no result when they are stopped.
var wholeKinds = []string{Transcode, Package, Thumbnails, pieceKind, joinKind}

func (s stagedWork) run(ctx context.Context, spec json.RawMessage, name string, out teller) error {
	plan, err := s.remote(spec)
	if err != nil {
		return err
	}
	if plan == nil {
		return s.plain.run(ctx, spec, name, out)
	}
	dir, err := plan.stage(s.opts)
	if err != nil {
		return sorted(err, place{})
	}
	defer os.RemoveAll(dir)
	return plan.do(ctx, s, dir, name, out)
}

// within is the plain work that sees a directory as a mount.
func (s stagedWork) within(dir string) (plainWork, error) {
	o := s.opts
	o.Mounts = map[string]string{stageMount: dir}
	maps.Copy(o.Mounts, s.opts.Mounts)
	return newPlain(s.kind, s.tool, o)
}

// staging is what of a spec is elsewhere.
type staging struct {
	// spec names files in the stage instead.
	spec   json.RawMessage
	inputs []staged
	// to is the URL above the results, nil where they are files of the spec.
	to       *url.URL
	existing Existing
}

// staged is a file that is fetched.
type staged struct {
	field, local string
	from         *url.URL
}

// remote finds what of a spec is elsewhere; nil is nothing.
func (s stagedWork) remote(spec json.RawMessage) (*staging, error) {
	var tree map[string]any
	if json.Unmarshal(spec, &tree) != nil {
		return nil, nil
	}
	p := &staging{}
	if err := p.input("input", tree, "input"); err != nil {
		return nil, err
	}
	inputs, _ := tree["inputs"].([]any)
	for i, one := range inputs {
		if members, is := one.(map[string]any); is {
			if err := p.input(fmt.Sprintf("inputs[%d].url", i), members, "url"); err != nil {
				return nil, err
			}
		}
	}
	if slices.Contains(stagedKinds, s.kind) {
		if err := p.output(tree); err != nil {
			return nil, err
		}
	}
	if len(p.inputs) == 0 && p.to == nil {
		return nil, nil
	}
	if split, _ := tree["split"].(bool); split {
		return nil, fault("split", "is for files that all workers see, and the input or output is elsewhere: leave it out")
	}
	if existing, is := tree["existing"].(string); is {
		p.existing = Existing(existing)
	}
	var err error
	p.spec, err = json.Marshal(tree)
	return p, err
}

// input puts a file of the stage in the place of an object of S3.
func (p *staging) input(field string, members map[string]any, name string) error {
	text, _ := members[name].(string)
	var u *url.URL
	var err error
	switch scheme, _, _ := strings.Cut(strings.ToLower(text), "://"); {
	case scheme == stageScheme:
		u, err = stageURL(field, text)
	case strings.HasPrefix(strings.ToLower(text), "s3:"):
		u, err = objectURL(field, text)
	default:
		return nil
	}
	if err != nil {
		return err
	}
	in := staged{field: field, from: u, local: filepath.Join(fmt.Sprintf("in-%d", len(p.inputs)), path.Base(u.Path))}
	p.inputs = append(p.inputs, in)
	members[name] = mountScheme + ":" + stageMount + "/" + filepath.ToSlash(in.local)
	return nil
}

// reachTime bounds how long a worker tries to reach the caller of a task: the
// answer to a start must come in time.
const reachTime = 1500 * time.Millisecond

// reaches finds out before the start whether this worker reaches the caller of the
// task: another one may.
func (p *staging) reaches() error {
	var callers []*url.URL
	for _, in := range p.inputs {
		callers = append(callers, in.from)
	}
	if p.to != nil {
		callers = append(callers, p.to)
	}
	for _, u := range callers {
		if u.Scheme != stageScheme {
			continue
		}
		conn, err := net.DialTimeout("tcp", u.Host, reachTime)
		if err != nil {
			return caused(fmt.Errorf("stage: this worker does not reach the caller's machine: %w: give an address that workers reach with --stage-address", err), muster.CauseWorker)
		}
		return conn.Close() // all are on one machine
	}
	return nil
}

func objectURL(field, text string) (*url.URL, error) {
	scheme, rest, _ := strings.Cut(text, "://")
	bucket, key, _ := strings.Cut(rest, "/")
	if bucket == "" || strings.Trim(key, "/") == "" || strings.ContainsAny(key, "\x00\n\r") {
		return nil, fault(field, "%q is no object: write s3://BUCKET/KEY", text)
	}
	return &url.URL{Scheme: strings.ToLower(scheme), Host: bucket, Path: "/" + key}, nil // a key may have a ? or a %
}

// stageScheme is that of files of the caller of a task (package stage).
const stageScheme = "stage"

// stageURL is a URL of a file, which may have words in braces.
func stageURL(field, text string) (*url.URL, error) {
	u, err := url.Parse(strings.NewReplacer("{", "%7B", "}", "%7D").Replace(text))
	if err != nil || u.Host == "" || strings.Trim(u.Path, "/") == "" {
		scheme, _, _ := strings.Cut(text, "://")
		return nil, fault(field, "%q is not a URL of a file: write %s://HOST/PATH", redact(text), scheme)
	}
	return u, nil
}

// output puts a directory of the stage in the place of where results are sent.
func (p *staging) output(tree map[string]any) error {
	text, _ := tree["output"].(string)
	scheme, rest, is := strings.Cut(text, "://")
	scheme = strings.ToLower(scheme)
	if !is || scheme != "s3" && scheme != "http" && scheme != "https" && scheme != stageScheme || strings.HasSuffix(strings.SplitN(rest, "?", 2)[0], ".m3u8") {
		return nil // the last is a mix that is sent while it is made
	}
	var u *url.URL
	var err error
	if scheme == "s3" {
		if u, err = objectURL("output", text); err != nil {
			return err
		}
	} else if u, err = stageURL("output", text); err != nil {
		return err
	}
	local := path.Clean("/" + u.Path)
	p.to = &url.URL{Scheme: scheme, User: u.User, Host: u.Host, RawQuery: u.RawQuery, Path: "/"}
	tree["output"] = mountScheme + ":" + stageMount + "/out" + local
	return nil
}

// stage makes the directory of a task.
func (p *staging) stage(o Options) (string, error) {
	above := cmp.Or(o.Stage, os.TempDir())
	sweepStages(above)
	dir, err := os.MkdirTemp(above, "muster-stage-")
	if err != nil {
		return "", fmt.Errorf("stage: %w", err)
	}
	for _, in := range p.inputs {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(in.local)), 0o700); err != nil {
			return "", fmt.Errorf("stage: %w", err)
		}
	}
	return filepath.EvalSymlinks(dir)
}

// sweepStages removes what killed nodes have left.
func sweepStages(above string) {
	dirs, _ := filepath.Glob(filepath.Join(above, "muster-stage-*"))
	for _, dir := range dirs {
		if info, err := os.Stat(dir); err == nil && time.Since(info.ModTime()) > stageAge {
			_ = os.RemoveAll(dir)
		}
	}
}

// do fetches, works, and sends.
func (p *staging) do(ctx context.Context, s stagedWork, dir, name string, out teller) error {
	var to store.Store
	if p.to != nil {
		var err error
		if to, err = store.Open(p.to.Scheme); err != nil {
			return err
		}
		kept, err := p.there(ctx, s.kind, to)
		if err != nil || kept != nil {
			if kept != nil {
				out.Report(node.Progress{Share: 1, Detail: transcodeDetail{Kept: true, Outputs: kept}})
			}
			return sorted(err, place{scheme: p.to.Scheme})
		}
	}
	for _, in := range p.inputs {
		if err := in.fetch(ctx, dir); err != nil {
			return err
		}
	}
	inner, err := s.within(dir)
	if err != nil {
		return err
	}
	if p.to == nil {
		return inner.run(ctx, p.spec, name, out)
	}
	t := &stageTeller{teller: out, from: filepath.Join(dir, "out") + "/", to: p.shown("")}
	if err := inner.run(ctx, p.spec, name, t); err != nil {
		return err
	}
	if err := p.send(ctx, to, filepath.Join(dir, "out")); err != nil {
		return sorted(fmt.Errorf("output: %w", err), place{scheme: p.to.Scheme})
	}
	t.finish()
	return nil
}

// fetch brings an object to its place in the stage. That it is not there lies at
// the input: no worker would find it.
func (in staged) fetch(ctx context.Context, dir string) error {
	from, err := store.Open(in.from.Scheme)
	if err != nil {
		return err
	}
	err = from.Fetch(ctx, in.from, filepath.Join(dir, in.local))
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%s: %w", in.field, err)
	if errors.Is(err, fs.ErrNotExist) {
		return atInput(err)
	}
	return sorted(err, place{scheme: in.from.Scheme})
}

// there are the results where they exist and are to be kept; an error where they
// must not be replaced. What a spec does not tell is found out when it is sent.
func (p *staging) there(ctx context.Context, kind string, to store.Store) ([]string, error) {
	if p.existing == Replace {
		return nil, nil
	}
	var names, found []string
	for _, local := range Outputs(kind, p.spec) {
		_, name, _ := strings.Cut(filepath.ToSlash(local), mountScheme+":"+stageMount+"/out/")
		switch kind {
		case Package:
			name = path.Join(name, masterName)
		case Thumbnails:
			name = path.Join(name, listName)
		}
		names = append(names, name)
	}
	for _, name := range names {
		at := p.at(name)
		if _, err := to.Stat(ctx, at); err == nil {
			found = append(found, p.shown(name))
		} else if !errors.Is(err, fs.ErrNotExist) && p.to.Scheme != "http" && p.to.Scheme != "https" {
			return nil, fmt.Errorf("output: %w", err)
		}
	}
	switch {
	case len(found) == 0:
		return nil, nil
	case p.existing == Keep && len(found) == len(names):
		return found, nil
	case p.existing == Keep:
		return nil, nil
	}
	return nil, exists("output", found[0], "replace", "keep")
}

// at is the URL of a result.
func (p *staging) at(name string) *url.URL {
	u := *p.to
	u.Path = "/" + name
	return &u
}

// shown is the URL of a result without what may be secret.
func (p *staging) shown(name string) string {
	u := p.at(name)
	u.RawQuery = ""
	return u.Redacted()
}

// send sends all results. What players open goes last: by then all that it names
// is there.
func (p *staging) send(ctx context.Context, to store.Store, dir string) error {
	var names []string
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		return err
	}
	slices.SortStableFunc(names, func(a, b string) int { return openRank(a) - openRank(b) })
	for _, name := range names {
		inside, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		if err := to.Put(ctx, name, p.at(filepath.ToSlash(inside)), p.existing == Replace || p.existing == Keep); err != nil {
			if errors.Is(err, store.ErrExists) {
				return exists("output", p.shown(filepath.ToSlash(inside)), "replace", "keep")
			}
			return err
		}
	}
	return nil
}

func openRank(name string) int {
	switch base := filepath.Base(name); {
	case base == masterName, base == manifestName, base == listName:
		return 2
	case filepath.Ext(base) == ".m3u8":
		return 1
	}
	return 0
}

// stageTeller reports results under the names that they will have, and that all
// is done when they are there.
type stageTeller struct {
	teller
	from, to string
	last     node.Progress
}

func (t *stageTeller) Report(p node.Progress) {
	if text, err := json.Marshal(p.Detail); err == nil {
		p.Detail = json.RawMessage(strings.ReplaceAll(string(text), t.from, t.to))
	}
	t.last = p
	if p.Share == 1 {
		return
	}
	t.teller.Report(p)
}

func (t *stageTeller) finish() { t.teller.Report(t.last) }
