// With-rabbitmq runs a command beside a private RabbitMQ broker, which ends
// with it. {url} in the command's arguments becomes the broker's URL:
//
//	go run ./scripts/with-rabbitmq bin/muster bench rpc --url {url}
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"github.com/muster-fleet/muster/internal/rabbittest"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: with-rabbitmq COMMAND [ARGUMENT]...   ({url} stands for the broker's URL)")
		os.Exit(2)
	}
	os.Exit(status(run(os.Args[1:])))
}

func run(command []string) error {
	var broker rabbittest.Shared
	defer broker.Stop()
	// A Ctrl-C reaches the command too, which decides what to do about it.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	b, err := broker.Launch(ctx)
	if err != nil {
		return err
	}
	for i, argument := range command {
		command[i] = strings.ReplaceAll(argument, "{url}", b.URL())
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	ended := make(chan struct{})
	go func() {
		select {
		case <-terminated:
			_ = cmd.Process.Signal(syscall.SIGTERM)
		case <-ended:
		}
	}()
	defer close(ended)
	return cmd.Wait()
}

// status is the command's own exit status, 1 where it has none.
func status(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		return exit.ExitCode()
	}
	fmt.Fprintln(os.Stderr, "with-rabbitmq:", err)
	return 1
}
