#!/bin/sh
# ffmpeg's Matroska muxer loses -disposition attached_pic: a cover that is muxed
# as a stream into .mkv comes back as a film of one picture without the flag,
# and 0:v:0 is the cover; -map 0:V, which leaves covers out, takes it too. In
# .mp4 the flag is kept. The same in 5.1.9 and 7.1.5, without a warning.
set -eu
. "$(dirname "$0")/debian.sh"
fetch bookworm ffmpeg=7:5.1.9-0+deb12u1
fetch trixie ffmpeg=7:7.1.5-0+deb13u1
for suite in bookworm trixie; do
	ffmpeg=$work/$suite/ffmpeg
	"$ffmpeg" -v error -y -nostdin -f lavfi -i color=red:size=200x200 -frames:v 1 "$work/cover.png"
	"$ffmpeg" -v error -y -nostdin -f lavfi -i testsrc2=size=320x180:rate=25:duration=1 -c:v libx264 -pix_fmt yuv420p "$work/film.mp4"
	for ending in mkv mp4; do
		"$ffmpeg" -v error -y -nostdin -i "$work/cover.png" -i "$work/film.mp4" -map 0 -map 1 -c copy -disposition:v:0 attached_pic "$work/$suite.$ending"
		flags=$("$work/$suite/ffprobe" -v error -show_entries stream=codec_name:stream_disposition=attached_pic -of csv=p=0 "$work/$suite.$ending" | grep png)
		case $ending in mkv) want=png,0 ;; mp4) want=png,1 ;; esac
		expect "$suite: the cover in $ending" "$flags" "$want"
	done
done
exit $changed
