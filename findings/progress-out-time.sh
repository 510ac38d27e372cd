#!/bin/sh
# ffmpeg -progress: out_time of a file whose picture (1 s to 5 s) outlasts its
# sound (0 s to 4 s). 5.1.9 reports where the longest track ends; 7.1.5 reports
# the track that is behind the others, also in the last block (progress=end), so
# that a whole result looks a second short. The output is the same.
set -eu
. "$(dirname "$0")/debian.sh"
fetch bookworm ffmpeg=7:5.1.9-0+deb12u1
fetch trixie ffmpeg=7:7.1.5-0+deb13u1
"$work/bookworm/ffmpeg" -v error -itsoffset 1 -f lavfi -i testsrc2=size=320x180:rate=25:duration=4 -f lavfi -i sine=sample_rate=48000:duration=4 \
	-c:v libx264 -bf 0 -c:a pcm_s16le "$work/late.mkv"
for suite in bookworm trixie; do
	out=$("$work/$suite/ffmpeg" -v error -nostdin -nostats -progress pipe:1 -i "$work/late.mkv" -c copy -f null - | grep '^out_time=' | tail -n 1)
	case $suite in bookworm) want=4 ;; trixie) want=3 ;; esac
	expect "$suite: whole seconds of the last out_time, of 5 s" "$(echo "${out#*:}" | cut -d: -f2 | cut -c2)" $want
done
exit $changed
