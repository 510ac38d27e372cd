package roomtoken

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"testing"
)

func TestOWTTokens(t *testing.T) {
	text, err := OWT("a.b.c", "https://rooms.example:8443/")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := base64.StdEncoding.DecodeString(text)
	var client struct {
		Host   string `json:"host"`
		Secure bool   `json:"secure"`
	}
	if err := json.Unmarshal(body, &client); err != nil || client.Host != "rooms.example:8443" || !client.Secure {
		t.Errorf("a client reads %+v, %v", client, err)
	}
	if token, err := FromOWT(text); err != nil || token != "a.b.c" {
		t.Errorf("%q, %v", token, err)
	}
	for _, portal := range []string{"rooms.example", "ftp://rooms.example", "http://rooms.example/below", "http://rooms.example/?a", "http://%"} {
		if _, err := OWT("a.b.c", portal); err == nil {
			t.Errorf("%q is taken", portal)
		}
	}
	for _, text := range []string{"", "a.b.c", "e30=", "bnVsbA=="} {
		if _, err := FromOWT(text); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
