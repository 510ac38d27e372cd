package main

import (
	"encoding/json"
	"maps"
	"strings"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/media"
	"github.com/muster-fleet/muster/worker"
)

// mountsOf are the directories of --mount, by their names.
func mountsOf(flags []string) (map[string]string, error) {
	mounts := map[string]string{}
	for _, flag := range flags {
		name, dir, found := strings.Cut(flag, "=")
		if !found || dir == "" {
			return nil, cli.Usagef("--mount must be NAME=DIR, as in --mount films=/srv/films, not %q", flag)
		}
		if err := media.CheckMount(name, dir); err != nil {
			return nil, cli.Usagef("--mount: %v", err)
		}
		mounts[name] = dir
	}
	return mounts, nil
}

// ownLabels are those by which a task finds an agent: its id, and what it sees.
func (f *agentFlags) ownLabels(opts *worker.Options) error {
	mounts, err := mountsOf(f.mounts)
	if err != nil {
		return err
	}
	labels := maps.Clone(opts.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[muster.LabelWorker] = opts.ID
	for name, dir := range mounts {
		labels[media.MountLabel(name)] = dir
	}
	opts.Labels = labels
	if err := opts.Validate(); err != nil {
		return cli.Usagef("%v", err)
	}
	return nil
}

// needLabels adds to a preference that the worker sees the mounts, and has the
// hardware encoders, that a spec names. A preference that is no object stays as it
// is.
func needLabels(preference, spec json.RawMessage) (json.RawMessage, error) {
	var needed []string
	for _, name := range media.Mounts(spec) {
		needed = append(needed, media.MountLabel(name))
	}
	for _, name := range media.HardwareEncoders(spec) {
		needed = append(needed, media.EncoderLabel(name))
	}
	if len(needed) == 0 {
		return preference, nil
	}
	members, labels := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	if len(preference) > 0 && json.Unmarshal(preference, &members) != nil {
		return nil, cli.Usagef("--preference must be an object where the spec names a mount or a hardware encoder")
	}
	if own, has := members["labels"]; has && json.Unmarshal(own, &labels) != nil {
		return nil, cli.Usagef("--preference: labels must be an object")
	}
	for _, label := range needed {
		if labels[label] == nil {
			labels[label] = json.RawMessage(`{"exists":true}`)
		}
	}
	var err error
	if members["labels"], err = json.Marshal(labels); err != nil {
		return nil, err
	}
	return json.Marshal(members)
}
