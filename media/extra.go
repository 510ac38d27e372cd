package media

import (
	"strings"
	"unicode"

	"github.com/muster-fleet/muster"
)

// Extra are arguments of ffmpeg's that no field of a spec stands for. Only a worker
// whose operator allows them takes them (Options.AllowArgs): they can name any file
// and any address.
type Extra struct {
	// FFmpegArgs come last before each output. Nothing of them is checked but the
	// result.
	FFmpegArgs []string `json:"ffmpeg_args"`
}

// mostExtra bounds them.
const mostExtra = 100

func (e Extra) check(o Options) error {
	if len(e.FFmpegArgs) == 0 {
		return nil
	}
	if !o.AllowArgs {
		return caused(fault("ffmpeg_args", "are not allowed on this worker: its operator can allow them with muster agent --allow-ffmpeg-args"), muster.CauseWorker)
	}
	if len(e.FFmpegArgs) > mostExtra {
		return fault("ffmpeg_args", "must be at most %d", mostExtra)
	}
	for _, arg := range e.FFmpegArgs {
		if strings.ContainsFunc(arg, unicode.IsControl) {
			return fault("ffmpeg_args", "%q must not have control characters", arg)
		}
	}
	return nil
}
