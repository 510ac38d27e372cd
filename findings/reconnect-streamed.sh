#!/bin/sh
# ffmpeg with -reconnect_streamed 1, an HTTP server that knows no ranges, and a
# connection that breaks once in the middle: ffmpeg asks for the rest, gets the
# file from its beginning (status 200, not 206), and reads on as if that were the
# rest. A copied MPEG-TS has its first part twice, 137 packets where the file has
# 100, and the exit status is 0. With -reconnect 1 alone ffmpeg does not ask
# again: 37 packets, and status 0, too. The log says "ends prematurely" in each
# case, at the level error. The same with 5.1.9 and 7.1.5. Needs python3.
set -eu
. "$(dirname "$0")/debian.sh"
fetch bookworm ffmpeg=7:5.1.9-0+deb12u1
fetch trixie ffmpeg=7:7.1.5-0+deb13u1
"$work/trixie/ffmpeg" -v error -nostdin -f lavfi -i testsrc2=size=320x240:rate=10:duration=10 -c:v mpeg2video -g 10 -f mpegts "$work/whole.ts"
# The server ends its first answer in the middle.
cat >"$work/server.py" <<'PYTHON'
import http.server, sys
body = open(sys.argv[1], "rb").read()
asked = 0
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global asked
        asked += 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if asked > 1 else body[: len(body) // 2])
    def log_message(self, *args):
        pass
http.server.HTTPServer(("127.0.0.1", 15996), Handler).serve_forever()
PYTHON
packets() { "$work/trixie/ffprobe" -v error -count_packets -show_entries stream=nb_read_packets -of csv=p=0 "$1" | head -n 1 | tr -d ,; }
expect "packets of the file" "$(packets "$work/whole.ts")" 100
for suite in bookworm trixie; do
	for flags in "-reconnect 1 -reconnect_streamed 1" "-reconnect 1"; do
		python3 "$work/server.py" "$work/whole.ts" &
		server=$!
		sleep 1
		status=0
		# shellcheck disable=SC2086
		timeout 60 "$work/$suite/ffmpeg" -v error -nostdin -y $flags -i http://127.0.0.1:15996/a.ts -c copy -f mpegts "$work/got.ts" 2>"$work/said" || status=$?
		kill $server
		wait $server 2>/dev/null || true
		case $flags in *streamed*) want=137 ;; *) want=37 ;; esac
		expect "$suite $flags: exit status" $status 0
		expect "$suite $flags: packets of 100" "$(packets "$work/got.ts")" $want
		expect "$suite $flags: 'ends prematurely' in the log" "$(grep -c 'ends prematurely' "$work/said" || true)" 1
	done
done
exit $changed
