#!/bin/sh
# ffmpeg, a UDP input with ?timeout= (microseconds) whose sender stops: the
# time-out ends it with exit status 0, like the end of a file. 5.1.9 says nothing
# at all at -v error, 7.1.5 says "Error during demuxing" and exits with 0 all the
# same. So neither the status nor, by version, the log tells a sender that
# finished from one that was cut off; only -xerror (tried with 7.1.5) fails.
set -eu
. "$(dirname "$0")/debian.sh"
fetch bookworm ffmpeg=7:5.1.9-0+deb12u1
fetch trixie ffmpeg=7:7.1.5-0+deb13u1
port=15997
# receive SUITE ARGS...: receives what a sender of three seconds sends.
receive() {
	suite=$1
	shift
	(sleep 1; "$work/$suite/ffmpeg" -v quiet -re -f lavfi -i testsrc2=size=160x120:rate=10:duration=3 -f mpegts "udp://127.0.0.1:$port") &
	status=0
	timeout 60 "$work/$suite/ffmpeg" -v error -nostdin "$@" -i "udp://127.0.0.1:$port?timeout=6000000" -f null - >"$work/said" 2>&1 || status=$?
	wait
}
for suite in bookworm trixie; do
	receive $suite
	expect "$suite: exit status after the time-out" $status 0
	case $suite in bookworm) want=0 ;; trixie) want=1 ;; esac
	expect "$suite: 'Error during demuxing' in the log" "$(grep -c 'Error during demuxing' "$work/said" || true)" $want
done
receive trixie -xerror
expect "trixie with -xerror: fails" "$([ $status != 0 ] && echo yes || echo no)" yes
exit $changed
