#!/bin/sh
# ffmpeg's WHIP muxer against a server on pion. At its end ffmpeg 9.0.2 sends the
# DELETE of RFC 9725, which the server answers with 200 and a body; ffmpeg says
# "Failed to dispose resource, ret=-5" all the same, since it cannot read the
# answer, and exits with 0. A log that is watched for warnings has one for each
# session that went well. Its offer says setup:passive, where RFC 8842 has actpass:
# a server must be the DTLS client.
set -eu
. "$(dirname "$0")/debian.sh"
fetch forky ffmpeg=7:9.0.2-4
ffmpeg=$work/forky/ffmpeg
mkdir "$work/server" && cd "$work/server"
cat >main.go <<'GO'
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/pion/webrtc/v4"
)

func main() {
	var settings webrtc.SettingEngine
	settings.SetIncludeLoopbackCandidate(true)
	api := webrtc.NewAPI(webrtc.WithSettingEngine(settings))
	http.HandleFunc("POST /whip", func(w http.ResponseWriter, r *http.Request) {
		offer, _ := io.ReadAll(r.Body)
		for line := range strings.Lines(string(offer)) {
			if strings.HasPrefix(line, "a=setup") {
				fmt.Println(strings.TrimSpace(line))
				break
			}
		}
		pc, err := api.NewPeerConnection(webrtc.Configuration{})
		if err == nil {
			err = pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: string(offer)})
		}
		var answer webrtc.SessionDescription
		if err == nil {
			answer, err = pc.CreateAnswer(nil)
		}
		gathered := webrtc.GatheringCompletePromise(pc)
		if err == nil {
			err = pc.SetLocalDescription(answer)
		}
		if err != nil {
			http.Error(w, err.Error(), 400)
			return
		}
		<-gathered
		w.Header().Set("Content-Type", "application/sdp")
		w.Header().Set("Location", "/whip/1")
		w.WriteHeader(201)
		_, _ = io.WriteString(w, pc.LocalDescription().SDP)
	})
	http.HandleFunc("DELETE /whip/1", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Println("DELETE answered")
		_, _ = io.WriteString(w, "ended\n")
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(l.Addr())
	panic(http.Serve(l, nil))
}
GO
go mod init server >/dev/null 2>&1
go get github.com/pion/webrtc/v4@v4.2.26 >/dev/null 2>&1
go build -o server . || { echo "the server does not build"; exit 1; }
./server >said &
server=$!
trap 'kill "$server" || true; rm -rf "$work"' EXIT
until [ -s said ]; do sleep 0.1; done
code=0
"$ffmpeg" -v warning -nostdin -re -f lavfi -i testsrc=size=320x240:rate=15:duration=2 -c:v libx264 -profile:v baseline -preset ultrafast -tune zerolatency \
	-pix_fmt yuv420p -f whip "http://$(head -n 1 said)/whip" 2>log || code=$?
expect "the role that is offered" "$(sed -n 2p said)" "a=setup:passive"
expect "the server" "$(sed -n 3p said)" "DELETE answered"
expect "ffmpeg of a session that ended well" "exit $code, $(grep -o 'Failed to dispose resource' log)" "exit 0, Failed to dispose resource"
exit $changed
