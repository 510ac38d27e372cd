package media

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/muster-fleet/muster"
)

// ffmpeg lists encoders for devices that are not here: none is offered, and who
// names one is sent to another worker.
func TestListedHardwareIsNotOffered(t *testing.T) {
	t.Parallel()
	for _, device := range []string{"/dev/nvidia0", "/dev/dri"} {
		if _, err := os.Stat(device); err == nil {
			t.Skipf("there is %s here", device)
		}
	}
	for _, with := range tools(t) {
		var listed []string
		for name := range with.listed(context.Background()) {
			if isHardware(name) {
				listed = append(listed, name)
			}
		}
		if !slices.Contains(listed, "h264_nvenc") {
			t.Fatalf("ffmpeg %s lists %q", with.Version, listed)
		}
		if offered := with.Hardware(within(t)); len(offered) > 0 {
			t.Errorf("ffmpeg %s offers %q", with.Version, offered)
		}
		spec := `{"input": "` + clipOf(t, "film.mp4") + `", "output": "x", "ladder": [{"height": 90, "encoder": "h264_nvenc"}]}`
		err := workWith(t, with, Transcode, Options{}).Check(json.RawMessage(spec))
		var says causedError
		if !errors.As(err, &says) || says.cause != muster.CauseWorker || !strings.Contains(err.Error(), "h264_nvenc does not work on this worker") {
			t.Errorf("a device that is not there is the error %v", err)
		}
	}
}

// What a device encodes has the label and the slot of devices, whether the spec
// names the encoder or there is no other.
func TestSlotsOfSpecs(t *testing.T) {
	t.Parallel()
	with := &Tool{
		names: map[string]bool{"libx264": true, "hevc_nvenc": true},
		tried: map[encoder]bool{{"libx264", ""}: true, {"hevc_nvenc", ""}: true},
	}
	for spec, want := range map[string]struct{ slot, named string }{
		`{"ladder": [{"height": 90}]}`:                                               {"", ""},
		`{"ladder": [{"height": 90, "codec": "h265"}]}`:                              {SlotHardware, ""},
		`{"ladder": [{"height": 90}, {"codec": "h264", "encoder": "h264_nvenc"}]}`:   {SlotHardware, "h264_nvenc"},
		`{"package": {"ladder": [{"encoder": "h264_qsv"}, {"encoder": "libx264"}]}}`: {SlotHardware, "h264_qsv"},
		`{"stream": {"video": "h265"}}`:                                              {SlotHardware, ""},
		`{"stream": {"video": "copy"}}`:                                              {"", ""},
		`{"ladder": 7}`:                                                              {"", ""},
		`null`:                                                                       {"", ""},
	} {
		if got := with.Slot(json.RawMessage(spec)); got != want.slot {
			t.Errorf("%s has the slot %q", spec, got)
		}
		if got := strings.Join(HardwareEncoders(json.RawMessage(spec)), " "); got != want.named {
			t.Errorf("%s names %q", spec, got)
		}
	}
}
