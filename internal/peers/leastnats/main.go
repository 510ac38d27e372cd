// Command leastnats is the least program that asks a question on NATS: it
// connects, sends a request, prints the answer and ends. "musterbench start"
// measures `muster schedule` beside it.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats.go"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "leastnats:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("takes URL SUBJECT REQUEST, got %d arguments", len(args))
	}
	conn, err := nats.Connect(args[0])
	if err != nil {
		return err
	}
	defer conn.Close()
	answer, err := conn.Request(args[1], []byte(args[2]), 2*time.Second)
	if err != nil {
		return err
	}
	fmt.Printf("%s\n", answer.Data)
	return nil
}
