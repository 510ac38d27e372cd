#!/bin/sh
# amqp091-go 1.16.0: a broker that takes longer over the login than the client's
# own connection time-out (DefaultDial) is reported as ErrCredentials, "Exception
# (403) ... username or password not allowed", and not as a time-out: any failure
# after start-ok is. A program that gives up on wrong passwords gives up on a
# busy broker. RabbitMQ itself waits before it refuses a password.
set -eu
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
cd "$work"
cat >go.mod <<'MOD'
module finding
go 1.25
require github.com/rabbitmq/amqp091-go v1.16.0
MOD
cat >main.go <<'GO'
package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go func() {
		if c, err := l.Accept(); err == nil {
			busy(c)
		}
	}()
	_, err = amqp.DialConfig("amqp://guest:guest@"+l.Addr().String()+"/", amqp.Config{Dial: amqp.DefaultDial(time.Second)})
	var timeout net.Error
	fmt.Println(errors.Is(err, amqp.ErrCredentials), errors.As(err, &timeout) && timeout.Timeout(), err)
}

// busy offers the mechanism PLAIN, and takes longer than a second over the login.
func busy(c net.Conn) {
	_, _ = c.Read(make([]byte, 8)) // the protocol header
	longstr := func(b []byte, s string) []byte { return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...) }
	start := []byte{0, 10, 0, 10, 0, 9, 0, 0, 0, 0} // connection.start, version 0-9, no properties
	start = longstr(longstr(start, "PLAIN"), "en_US")
	frame := binary.BigEndian.AppendUint32([]byte{1, 0, 0}, uint32(len(start)))
	_, _ = c.Write(append(append(frame, start...), 0xCE))
	time.Sleep(10 * time.Second)
}
GO
export GOFLAGS=-mod=mod
go mod tidy >/dev/null 2>&1
out=$(go run .)
echo "ErrCredentials, is a time-out, error: $out"
case $out in "true false "*"username or password not allowed"*) echo "as seen before" ;; *) echo "CHANGED"; exit 1 ;; esac
