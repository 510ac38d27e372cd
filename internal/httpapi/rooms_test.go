package httpapi_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/muster-fleet/muster/internal/httpapi"
	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/roomtoken"
)

// testRoomKey signs the tokens of the tests' servers.
func testRoomKey() (roomtoken.Key, error) {
	return roomtoken.NewKey([]byte("a key for tests, long enough"))
}

// A portal lets in whom the API made a token for, OWT's clients too.
func TestRoomTokens(t *testing.T) {
	c := startCluster(t, httpapi.Options{RoomKey: testRoomKey})
	key, err := testRoomKey()
	must(t, err)
	request := func(body map[string]any) httpapi.RoomToken {
		status, raw, _ := c.do(http.MethodPost, "/v1/rooms/stand%20up/tokens", body)
		if status != http.StatusOK {
			t.Fatalf("%v: %d %s", body, status, raw)
		}
		var made httpapi.RoomToken
		must(t, json.Unmarshal(raw, &made))
		return made
	}
	before := time.Now()
	made := request(map[string]any{"user": "alice"})
	claims, err := key.Open(made.Token, time.Now())
	must(t, err)
	if want := (roomtoken.Claims{Room: "stand up", User: "alice", Role: room.Presenter}); claims != want {
		t.Errorf("the token says %+v, want %+v", claims, want)
	}
	if until := time.UnixMilli(made.Until); until.Before(before.Add(roomtoken.DefaultLife-time.Second)) || until.After(time.Now().Add(roomtoken.DefaultLife)) {
		t.Errorf("it expires at %v, %v after it was asked for", until, until.Sub(before))
	}
	short := request(map[string]any{"user": "bob", "role": "viewer", "life_ms": 60_000})
	if claims, err := key.Open(short.Token, time.Now()); err != nil || claims.Role != room.Viewer {
		t.Errorf("bob's token: %+v, %v", claims, err)
	}
	if _, err := key.Open(short.Token, time.Now().Add(2*time.Minute)); !errors.Is(err, roomtoken.ErrExpired) {
		t.Errorf("bob's token after its time: %v", err)
	}
	owt, err := roomtoken.FromOWT(request(map[string]any{"user": "carol", "owt": "https://rooms.example"}).Token)
	must(t, err)
	if claims, err := key.Open(owt, time.Now()); err != nil || claims.User != "carol" {
		t.Errorf("carol's token: %+v, %v", claims, err)
	}
}

func TestServerWithoutRoomKey(t *testing.T) {
	for name, key := range map[string]func() (roomtoken.Key, error){
		"none":   nil,
		"failed": func() (roomtoken.Key, error) { return roomtoken.Key{}, errors.New("no key: set rooms.key") },
	} {
		c := startCluster(t, httpapi.Options{RoomKey: key})
		if status, raw, _ := c.do(http.MethodPost, "/v1/rooms/r/tokens", map[string]any{"user": "a"}); status != http.StatusNotImplemented {
			t.Errorf("%s: %d %s", name, status, raw)
		}
	}
}
