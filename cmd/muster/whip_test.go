package main

import (
	"fmt"
	"testing"

	"github.com/muster-fleet/muster/internal/room"
)

// whipPage is what a page does that speaks WHIP and WHEP, without our script.
const whipPage = `
	async function negotiate(kind, pc, query = "") {
		await pc.setLocalDescription(await pc.createOffer());
		const token = new URLSearchParams(location.hash.slice(1)).get("token");
		const r = await fetch("/" + kind + "/%[1]s" + query, {
			method: "POST", body: pc.localDescription.sdp, headers: {"Content-Type": "application/sdp", Authorization: "Bearer " + token},
		});
		if (r.status !== 201) throw new Error(r.status + " " + await r.text());
		await pc.setRemoteDescription({type: "answer", sdp: await r.text()});
		return () => fetch(r.headers.get("Location"), {method: "DELETE", headers: {Authorization: "Bearer " + token}});
	}
	async function publish() {
		const media = await navigator.mediaDevices.getUserMedia({audio: true, video: {width: 320, height: 240}});
		const pc = new RTCPeerConnection();
		for (const track of media.getTracks()) pc.addTransceiver(track, {direction: "sendonly", streams: [media]});
		window.end = await negotiate("whip", pc);
	}
	async function watch(user) {
		const pc = new RTCPeerConnection(), media = new MediaStream();
		pc.ontrack = (e) => media.addTrack(e.track);
		for (const kind of ["audio", "video"]) pc.addTransceiver(kind, {direction: "recvonly"});
		const video = document.body.appendChild(document.createElement("video"));
		video.muted = true;
		video.srcObject = media;
		window.shown = 0;
		const count = () => { window.shown++; video.requestVideoFrameCallback(count); };
		video.requestVideoFrameCallback(count);
		await negotiate("whep", pc, "?from=" + user);
		await video.play();
	}
	true`

// A browser publishes by WHIP and another watches by WHEP, each with what the
// specifications say only; people in the room see the one who publishes.
func TestBrowsersSpeakWHIPAndWHEP(t *testing.T) {
	c, links := beginRooms(t)
	b := startBrowser(t)
	publisher, person := b.open("publisher", links[0], 400, 300), b.open("person", links[1], 400, 300)
	script := fmt.Sprintf(whipPage, upRoom)
	value[bool](publisher, script)
	value[bool](publisher, `(publish().then(() => window.sends = true, (e) => window.failed = String(e)), true)`)
	publisher.await(`window.sends || window.failed`)
	if failed := value[string](publisher, `window.failed || ""`); failed != "" {
		t.Fatal(failed)
	}
	join(person)
	person.await(`musterRoom.pictures.some((p) => p.id !== "" && p.frames > 10)`)
	watcher := b.open("watcher", links[1], 400, 300)
	value[bool](watcher, script)
	value[bool](watcher, `(watch("alice").catch((e) => window.failed = String(e)), true)`)
	watcher.await(`window.shown > 10 || window.failed`)
	if failed := value[string](watcher, `window.failed || ""`); failed != "" {
		t.Fatal(failed)
	}
	contains(t, done(t, "why", "participant", upRoom, "alice", "--url", c.url), string(room.Presenter), "camera", "is connected")
	value[bool](publisher, `(end(), true)`)
	person.await(`!musterRoom.state.participants.some((p) => p.user === "alice")`)
}
