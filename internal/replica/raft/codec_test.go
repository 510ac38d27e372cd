package raft

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

func drawTexts(t *rapid.T) []string {
	if rapid.Bool().Draw(t, "nil") {
		return nil
	}
	return append([]string{}, rapid.SliceOfN(rapid.String(), 0, 3).Draw(t, "texts")...)
}

func drawRaw(t *rapid.T) []byte {
	if rapid.Bool().Draw(t, "nil") {
		return nil
	}
	return append([]byte{}, rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, "raw")...)
}

func drawInfo(t *rapid.T) muster.Info {
	text := rapid.String()
	info := muster.Info{
		IP: text.Draw(t, "ip"), Hostname: text.Draw(t, "host"), Port: rapid.Int().Draw(t, "port"),
		Purpose: text.Draw(t, "purpose"), State: muster.WorkerState(rapid.IntRange(-1, 2).Draw(t, "state")),
		MaxLoad: rapid.Float64().Draw(t, "max load"), MaxTasks: rapid.Int().Draw(t, "max tasks"), Raw: drawRaw(t),
		Capacity: muster.Capacity{ISPs: drawTexts(t), Regions: drawTexts(t), Algorithms: drawTexts(t)},
	}
	if rapid.Bool().Draw(t, "video") {
		info.Capacity.Video = &muster.Formats{Encode: drawTexts(t), Decode: drawTexts(t)}
	}
	if rapid.Bool().Draw(t, "labels") {
		info.Labels = rapid.MapOfN(text, text, 0, 3).Draw(t, "labels")
	}
	return info
}

func drawOp(t *rapid.T) state.Op {
	text := rapid.String()
	a, b := text.Draw(t, "a"), text.Draw(t, "b")
	switch rapid.IntRange(0, 10).Draw(t, "op") {
	case 0:
		return state.Join{Purpose: a, Worker: b, Info: drawInfo(t)}
	case 1:
		return state.Quit{Worker: a}
	case 2:
		return state.WorkerLost{Worker: a}
	case 3:
		return state.ReportState{Worker: a, State: muster.WorkerState(rapid.Int().Draw(t, "state"))}
	case 4:
		var loads []state.WorkerLoad
		for range rapid.IntRange(0, 4).Draw(t, "loads") {
			loads = append(loads, state.WorkerLoad{Worker: text.Draw(t, "worker"), Load: rapid.Float64().Draw(t, "load")})
		}
		return state.ReportLoad{Loads: loads}
	case 5:
		if rapid.Bool().Draw(t, "claim") {
			return state.ClaimTask{Worker: a, Incarnation: text.Draw(t, "incarnation"), Task: b, Placement: rapid.Uint64().Draw(t, "placement")}
		}
		op := state.PickUpTasks{Worker: a, Tasks: drawTexts(t)}
		if rapid.Bool().Draw(t, "placed") {
			op.Placements = append([]uint64{}, rapid.SliceOf(rapid.Uint64()).Draw(t, "placements")...)
		}
		return op
	case 6:
		return state.LayDownTask{Worker: a, Task: b, Placement: rapid.SampledFrom([]uint64{0, 7, 1 << 60}).Draw(t, "placement")}
	case 7:
		return state.Schedule{Purpose: a, Task: b, Preference: drawRaw(t), ReserveMillis: rapid.Int64().Draw(t, "reserve")}
	case 8:
		return state.Unschedule{Worker: a, Task: b, Placement: rapid.SampledFrom([]uint64{0, 7, 1 << 60}).Draw(t, "placement")}
	case 9:
		return state.Expire{}
	}
	cfg := state.DefaultConfig()
	cfg.General, cfg.ReserveMillis = muster.Strategy(a), rapid.Int64().Draw(t, "reserve")
	cfg.Debit = state.Debit{Mode: state.DebitMode(b), Fixed: rapid.Float64().Draw(t, "fixed"), Floor: 0.5}
	if rapid.Bool().Draw(t, "none") {
		cfg.Strategies = nil
	}
	return state.Configure{Config: cfg}
}

// TestCommandsSurviveTheLog: what comes out of the log is what went in, nil
// and empty apart, since one manager applies the one and the others the other.
func TestCommandsSurviveTheLog(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var batch []replica.Proposal
		var want []state.Command
		for range rapid.IntRange(1, 5).Draw(t, "commands") {
			cmd := state.Command{At: muster.Instant(rapid.Int64().Draw(t, "at")), Seed: rapid.Uint64().Draw(t, "seed"), Op: drawOp(t)}
			batch = append(batch, replica.Proposal{Command: cmd})
			want = append(want, cmd)
		}
		for len(batch) > 0 {
			data, n, err := encodeBatch(5, 6, batch, 100)
			if err != nil {
				t.Fatal(err)
			}
			rec, err := decodeRecord(data)
			if err != nil || rec.origin != 5 || rec.sequence != 6 {
				t.Fatalf("%+v: %v", rec, err)
			}
			got, err := rec.commands()
			if err != nil || !reflect.DeepEqual(got, want[:n]) {
				t.Fatalf("got  %#v (%v)\nwant %#v", got, err, want[:n])
			}
			for cut := range data {
				if rec, err := decodeRecord(data[:cut]); err == nil {
					if _, err := rec.commands(); err == nil {
						t.Fatalf("%d of %d bytes are a batch", cut, len(data))
					}
				}
			}
			batch, want = batch[n:], want[n:]
		}
	})
}

func TestNewerEntriesStopAManager(t *testing.T) {
	data, _, err := encodeBatch(1, 1, []replica.Proposal{{Command: state.Command{Op: state.Expire{}}}}, 100)
	if err != nil {
		t.Fatal(err)
	}
	version, kind, op := bytes.Clone(data), bytes.Clone(data), bytes.Clone(data)
	version[0], kind[1], op[11] = 2, 99, 99 // op[11]: behind version, kind, origin and sequence
	for what, data := range map[string][]byte{"version": version, "kind": kind, "operation": op} {
		if _, err := decodeRecord(data); !errors.Is(err, errNewer) {
			t.Errorf("%s: got %v, want errNewer", what, err)
		}
	}
}

func FuzzEntry(f *testing.F) {
	data, _, err := encodeBatch(1, 1, []replica.Proposal{
		{Command: state.Command{Op: state.Schedule{Purpose: "webrtc", Task: "t", Preference: []byte("{}")}}},
		{Command: state.Command{Op: state.Join{Purpose: "p", Worker: "w", Info: muster.Info{Raw: []byte("{}")}}}},
	}, 1000)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(encodeAddr(recordAdmit, "a:1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		rec, err := decodeRecord(data)
		if err != nil || rec.kind != recordBatch {
			return
		}
		commands, err := rec.commands()
		if err != nil {
			return
		}
		s := state.New(state.DefaultConfig())
		for _, cmd := range commands {
			s.Apply(cmd)
		}
	})
}
