#!/bin/sh
# nginx 1.22.1 with its RTMP module 1.2.2 (Debian 12), and ffmpeg 7.1.5, which sends
# HEVC and AV1 over RTMP by FourCC ("enhanced RTMP", 2023). The server does not know
# these messages and refuses nothing: ffmpeg publishes to its end and exits with 0,
# the recording has the sound alone, and the HLS playlist announces H.264 without a
# frame of it. A publisher cannot tell; only what comes out of the server shows it.
# H.264 is the control.
set -eu
. "$(dirname "$0")/debian.sh"
fetch bookworm nginx=1.22.1-9+deb12u11 libnginx-mod-rtmp=1:1.2.2+dfsg-3
fetch trixie ffmpeg=7:7.1.5-0+deb13u1
ffmpeg=$work/trixie/ffmpeg ffprobe=$work/trixie/ffprobe root=$work/bookworm/root
chmod 755 "$work"
mkdir -m 777 "$work/out"
cat >"$work/nginx.conf" <<CONF
load_module $root/usr/lib/nginx/modules/ngx_rtmp_module.so;
daemon off;
pid $work/pid;
error_log $work/error.log;
events {}
rtmp {
	server {
		listen 127.0.0.1:19350;
		application live {
			live on;
			record all;
			record_path $work/out;
			hls on;
			hls_path $work/out;
			hls_fragment 1s;
		}
	}
}
CONF
lib=$(echo "$root"/usr/lib/*-linux-gnu)
loader=$(ls "$lib"/ld-linux-*.so.* "$root"/lib/*-linux-gnu/ld-linux-*.so.* 2>/dev/null | head -n 1)
"$loader" --library-path "$lib:$(dirname "$loader")" "$root/usr/sbin/nginx" -e "$work/error.log" -c "$work/nginx.conf" &
server=$!
trap 'kill "$server"; wait "$server" || true; rm -rf "$work"' EXIT
until [ -s "$work/pid" ]; do sleep 0.1; done

streams() { "$ffprobe" -v error -show_entries "stream=codec_name$2" -of csv=p=0 "$1" | grep -v '^$' | sort -u | tr '\n' ' '; }
for codec in libx264 libx265 libsvtav1; do
	status=0
	"$ffmpeg" -nostdin -loglevel fatal -re -f lavfi -i testsrc2=size=320x180:rate=15:duration=5 -f lavfi -i sine=duration=5 \
		-c:v "$codec" -g 15 -c:a aac -f flv "rtmp://127.0.0.1:19350/live/$codec" >/dev/null 2>&1 || status=$?
	sleep 1 # until the server has closed its files
	recorded=$(streams "$work/out/$codec.flv" "")
	playlist=$(streams "$work/out/$codec.m3u8" ",width" 2>/dev/null)
	case $codec in
	libx264) want="exit 0, recorded: aac h264 , HLS: aac h264,320 " ;;
	*) want="exit 0, recorded: aac , HLS: aac h264,0 " ;;
	esac
	expect "$codec" "exit $status, recorded: $recorded, HLS: $playlist" "$want"
done
exit $changed
