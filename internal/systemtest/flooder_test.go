package systemtest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/muster-fleet/muster/bus"
)

// floodVariable makes this program one that floods a manager: with "schedules"
// of one caller, large "bodies", "garbage" on the queue and on every port,
// connections that say nothing ("silence"), or "requests" of one caller over HTTP.
const floodVariable = "SYSTEMTEST_FLOOD"

// plainServer as a flood is the server of TestFloodOfAPlainServer.
const plainServer = "plain-server"

const (
	floodRate  = 20_000 // a second
	bodyRate   = 60
	bodySize   = 8<<20 - 4096 // NATS takes 8 MiB, the subject included
	silentEach = 1000         // connections to a port
	floodBurst = 10 * time.Millisecond
	// silentPause is before a connection that was closed is replaced, on average.
	silentPause = time.Second
)

// runFlood ends with the process.
func runFlood(kind string) int {
	url, name, ports := os.Getenv("FLOOD_URL"), os.Getenv("FLOOD_NAME"), strings.Split(os.Getenv("FLOOD_PORTS"), ",")
	var err error
	switch kind {
	case plainServer:
		err = servePlainly(url, name)
	case "schedules":
		err = floodSchedules(url, name)
	case "bodies":
		err = floodBodies(url, name)
	case "garbage":
		for _, port := range ports {
			go floodTCP(port)
		}
		err = floodGarbage(url, name)
	case "silence":
		err = floodSilence(ports)
	case "requests":
		err = floodRequests(os.Getenv("FLOOD_HTTP"), os.Getenv("FLOOD_TOKEN"))
	}
	fmt.Fprintln(os.Stderr, "flood:", err)
	return 1
}

// sent is how much was sent so far: requests, or connections.
var sent atomic.Int64

// begun signals that the flood is under way, and from then on how much was
// sent.
func begun() {
	fmt.Println(sent.Load())
	go func() {
		for range time.Tick(100 * time.Millisecond) {
			fmt.Println(sent.Load())
		}
	}()
}

// servePlainly is the least server on RabbitMQ: it acknowledges nothing, has no
// limits, and answers each call with the same word.
func servePlainly(url, name string) error {
	conn, err := amqp.Dial(url)
	if err != nil {
		return err
	}
	ch, err := declarePlainly(conn, name)
	for tries := 0; err != nil && tries < 10; tries++ { // the exchange may end with its last binding in between
		ch, err = declarePlainly(conn, name)
	}
	if err != nil {
		return err
	}
	deliveries, err := ch.Consume(name, "", true, false, false, false, nil)
	if err != nil {
		return err
	}
	begun()
	for d := range deliveries {
		if len(d.Body) > 1<<20 {
			continue
		}
		call, err := bus.ParseCall(d.Body)
		if err != nil || call.CorrID == nil {
			continue
		}
		sent.Add(1)
		body := bus.AppendReply(nil, bus.Reply{CorrID: call.CorrID, Data: []byte(`"ok"`)})
		if err := ch.PublishWithContext(context.Background(), "owtRpc", call.ReplyTo, false, false, amqp.Publishing{Body: body}); err != nil {
			return err
		}
	}
	return io.EOF
}

func declarePlainly(conn *amqp.Connection, name string) (*amqp.Channel, error) {
	ch, err := conn.Channel()
	if err == nil {
		err = ch.ExchangeDeclare("owtRpc", "direct", false, true, false, false, nil)
	}
	if err == nil {
		_, err = ch.QueueDeclare(name, false, true, false, false, nil)
	}
	if err == nil {
		err = ch.QueueBind(name, name, "owtRpc", false, nil)
	}
	return ch, err
}

// floodSchedules makes calls of one caller. It takes the answers, and reads none.
func floodSchedules(url, name string) error {
	to, err := dialRaw(url, name)
	if err != nil {
		return err
	}
	answers, err := to.answers()
	if err != nil {
		return err
	}
	n := 0
	begun()
	for range time.Tick(floodBurst) {
		for range floodRate / int(time.Second/floodBurst) {
			n++
			body := fmt.Appendf(nil, `{"method":"schedule","args":[%q,"flood-%d",null,100],"corrID":%d,"replyTo":%q}`, purpose, n, n, answers)
			if err := to.send(body, answers); err != nil {
				return err
			}
		}
	}
	return nil
}

// requestsEach is how many connections floodRequests has.
const requestsEach = 16

// floodRequests asks over HTTP as often as it is answered. It begins when it was refused
// once.
func floodRequests(url, token string) error {
	refused := make(chan struct{}, 1)
	for range requestsEach {
		go func() {
			for {
				if askOver(url, token) == http.StatusTooManyRequests {
					select {
					case refused <- struct{}{}:
					default:
					}
				}
			}
		}()
	}
	<-refused
	begun()
	select {}
}

func askOver(url, token string) int {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return 0
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	sent.Add(1)
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	return res.StatusCode
}

// floodBodies makes casts with bodies as large as NATS takes.
func floodBodies(url, name string) error {
	to, err := dialRaw(url, name)
	if err != nil {
		return err
	}
	body := []byte(`{"method":"pickUpTasks","args":["nobody",["` + strings.Repeat("x", bodySize) + `"]]}`)
	begun()
	for range time.Tick(time.Second / bodyRate) {
		if err := to.send(body, ""); err != nil {
			return err
		}
	}
	return nil
}

// floodGarbage sends what is no request.
func floodGarbage(url, name string) error {
	to, err := dialRaw(url, name)
	if err != nil {
		return err
	}
	begun()
	for range time.Tick(floodBurst) {
		for range floodRate / int(time.Second/floodBurst) {
			if err := to.send(garbage(), ""); err != nil {
				return err
			}
		}
	}
	return nil
}

func garbage() []byte {
	switch rand.N(4) {
	case 0:
		return []byte(`{"method":"keepAlive","args":["` + string(rune('a'+rand.N(26))) + `"]}`)
	case 1:
		return []byte(strings.Repeat("[", 1+rand.N(1000)))
	case 2:
		return []byte(`{"method":"schedule","args":[1,2,3,4],"corrID":1,"replyTo":"nobody"}`)
	}
	body := make([]byte, 1+rand.N(200))
	for i := range body {
		body[i] = byte(rand.Uint32())
	}
	return body
}

// raw sends bodies to a server without the adapter, as cheaply as can be: the
// processors are for the broker and the manager.
type raw struct {
	name string
	nats *nats.Conn
	amqp *amqp.Channel
}

func dialRaw(url, name string) (*raw, error) {
	if strings.HasPrefix(url, "nats:") {
		nc, err := nats.Connect(url)
		return &raw{name: name, nats: nc}, err
	}
	conn, err := amqp.DialConfig(url, amqp.Config{Dial: dialBuffered})
	if err != nil {
		return nil, err
	}
	ch, err := conn.Channel()
	return &raw{name: name, amqp: ch}, err
}

// send sends a body; answers is where the answer goes, "" for nowhere.
func (r *raw) send(body []byte, answers string) error {
	sent.Add(1)
	switch {
	case r.nats != nil && answers == "":
		return r.nats.Publish("muster.rpc."+r.name, body)
	case r.nats != nil:
		return r.nats.PublishRequest("muster.rpc."+r.name, answers, body)
	}
	return r.amqp.PublishWithContext(context.Background(), "owtRpc", r.name, false, false, amqp.Publishing{Body: body})
}

// answers returns where answers go, which are thrown away.
func (r *raw) answers() (string, error) {
	if r.nats != nil {
		inbox := nats.NewInbox()
		_, err := r.nats.Subscribe(inbox, func(*nats.Msg) {})
		return inbox, err
	}
	q, err := r.amqp.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		return "", err
	}
	if err := r.amqp.QueueBind(q.Name, q.Name, "owtRpc", false, nil); err != nil {
		return "", err
	}
	deliveries, err := r.amqp.Consume(q.Name, "", true, true, false, false, nil)
	if err != nil {
		return "", err
	}
	go func() {
		for range deliveries {
		}
	}()
	return q.Name, nil
}

// buffered is a connection that writes a burst at once.
type buffered struct {
	net.Conn
	mu  sync.Mutex
	out *bufio.Writer
}

func dialBuffered(network, addr string) (net.Conn, error) {
	conn, err := net.Dial(network, addr)
	if err != nil {
		return nil, err
	}
	b := &buffered{Conn: conn, out: bufio.NewWriterSize(conn, 1<<16)}
	go func() {
		for range time.Tick(floodBurst / 2) {
			b.mu.Lock()
			_ = b.out.Flush() // the next Write reports it
			b.mu.Unlock()
		}
	}()
	return b, nil
}

func (b *buffered) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.out.Write(p)
}

// floodTCP writes noise to a port, on one connection after the other.
func floodTCP(port string) {
	noise := make([]byte, 4096)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	for range time.Tick(time.Millisecond) {
		conn, err := net.DialTimeout("tcp", port, time.Second)
		if err != nil {
			continue
		}
		_ = conn.SetDeadline(time.Now().Add(time.Second))
		_, _ = conn.Write(noise)
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
	}
}

// floodSilence opens connections to every port that say nothing, or only begin
// to, and replaces those that are closed.
func floodSilence(ports []string) error {
	for _, port := range ports {
		for i := range silentEach {
			go beSilent(port, i%2 == 0)
		}
	}
	time.Sleep(100 * time.Millisecond)
	begun()
	select {}
}

func beSilent(port string, begin bool) {
	for first := true; ; first = false {
		if !first {
			time.Sleep(silentPause/2 + rand.N(silentPause)) // else all come back in the same moment
		}
		conn, err := net.DialTimeout("tcp", port, time.Second)
		if err != nil {
			continue
		}
		sent.Add(1)
		if begin {
			_, _ = conn.Write([]byte("G"))
		}
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
	}
}
