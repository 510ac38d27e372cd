#!/bin/sh
# libsvtav1 through ffmpeg. 5.1.9 (SVT-AV1 1.4.1) takes -b:v with -maxrate, and
# does not heed -force_key_frames: of 3 s with a key frame forced every second
# only the first picture is one. 7.1.5 (SVT-AV1 2.3.0) heeds it, and refuses -b:v
# with -maxrate: "Error setting encoder parameters: bad parameter (0x80001005)".
set -eu
. "$(dirname "$0")/debian.sh"
fetch bookworm ffmpeg=7:5.1.9-0+deb12u1
fetch trixie ffmpeg=7:7.1.5-0+deb13u1
for suite in bookworm trixie; do
	ffmpeg=$work/$suite/ffmpeg
	source="-f lavfi -i testsrc2=size=320x180:rate=25:duration=3"
	# shellcheck disable=SC2086
	"$ffmpeg" -v error -nostdin $source -c:v libsvtav1 -preset 12 -force_key_frames 'expr:gte(t,n_forced)' "$work/$suite.mkv" 2>/dev/null
	keys=$("$work/$suite/ffprobe" -v error -show_entries packet=flags -of csv=p=0 "$work/$suite.mkv" | grep -c K)
	# shellcheck disable=SC2086
	if "$ffmpeg" -v error -nostdin $source -c:v libsvtav1 -preset 12 -b:v 300k -maxrate 450k -bufsize 600k -f null - 2>/dev/null; then rate=taken; else rate=refused; fi
	case $suite in bookworm) want="1 taken" ;; trixie) want="3 refused" ;; esac
	expect "$suite: key frames of 3 s, and a highest rate" "$keys $rate" "$want"
done
exit $changed
