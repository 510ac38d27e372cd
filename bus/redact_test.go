package bus_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/muster-fleet/muster/bus"
	"pgregory.net/rapid"
)

func TestRedacted(t *testing.T) {
	const hidden = "(unreadable URL)"
	for raw, want := range map[string]string{
		"nats://127.0.0.1:4222":                      "nats://127.0.0.1:4222",
		"amqp://guest:guest@rabbit:5672/vhost":       "amqp://guest:xxxxx@rabbit:5672/vhost",
		"amqp://guest:@rabbit":                       "amqp://guest:xxxxx@rabbit",
		"nats://token@host":                          "nats://xxxxx@host",
		"nats://a:one@h1:1,nats://b:two@h2:2":        "nats://a:xxxxx@h1:1,nats://b:xxxxx@h2:2",
		"nats://a:one@h1, tls://b:two@h2":            "nats://a:xxxxx@h1,tls://b:xxxxx@h2",
		"amqps://u:p@[::1]:5671/?password=s&x=y#z":   "amqps://u:xxxxx@[::1]:5671/",
		"nats://u:one@h1,nats://u:t wo@h2":           hidden,
		"nats://u:%zz@host":                          hidden,
		"nats://u:se,cret@host":                      hidden,
		"nats://u:12,34@host":                        hidden,
		"nats://u:12/34@host":                        hidden,
		"nats://u:12?34@host":                        hidden,
		"nats://u:12#34@host":                        hidden,
		"u:secret@host":                              hidden,
		"secret@host":                                hidden,
		"":                                           hidden,
		"nats://h1,":                                 hidden,
		"\x7fnats://u:secret@host":                   hidden,
		"nats://u:secret@h1,u:secret@h2,nats://h3:1": hidden,
	} {
		if got := bus.Redacted(raw); got != want {
			t.Errorf("Redacted(%q) = %q, want %q", raw, got, want)
		}
	}
}

// TestRedactedHidesPasswords: no password in a list of URLs is ever shown, encoded
// or not.
func TestRedactedHidesPasswords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var urls []string
		for range rapid.IntRange(1, 4).Draw(t, "servers") {
			secret := "7777" + rapid.String().Draw(t, "password") + "7777"
			if rapid.Bool().Draw(t, "encoded") {
				secret = url.UserPassword("u", secret).String()[len("u:"):]
			}
			scheme := rapid.SampledFrom([]string{"nats", "tls", "amqp", "amqps"}).Draw(t, "scheme")
			urls = append(urls, scheme+"://user:"+secret+"@host:4222/vhost")
		}
		if got := bus.Redacted(strings.Join(urls, ",")); strings.Contains(got, "7777") {
			t.Fatalf("Redacted shows %q", got)
		}
	})
}

func FuzzRedacted(f *testing.F) {
	f.Add("nats://user:", "@host,nats://a:b@c")
	f.Add("", "@")
	f.Fuzz(func(t *testing.T, before, after string) {
		got := bus.Redacted(before + "://user:SeCrEt@" + after)
		if strings.Contains(got, "SeCrEt") && !strings.Contains(before+after, "SeCrEt") {
			t.Fatalf("Redacted(%q, %q) shows %q", before, after, got)
		}
	})
}
