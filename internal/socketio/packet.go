package socketio

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The types of Engine.IO's packets: the first byte of each.
const (
	engineOpen    = '0'
	engineClose   = '1'
	enginePing    = '2'
	enginePong    = '3'
	engineMessage = '4'
	engineUpgrade = '5'
	engineNoop    = '6'
)

// The types of Socket.IO's packets: the first byte of an Engine.IO message.
const (
	socketConnect    = '0'
	socketDisconnect = '1'
	socketEvent      = '2'
	socketAck        = '3'
	socketRefused    = '4'
)

// separator stands between the packets of a request of long polling.
const separator = "\x1e"

// packet is a message of Socket.IO.
type packet struct {
	kind      byte
	namespace string // "" is the default one
	id        int    // of the acknowledgement; -1: none is wanted
	data      json.RawMessage
}

var errPacket = errors.New("socketio: not a packet of Socket.IO 5 without binary data")

// maxID is the largest number of an acknowledgement.
const maxID = 1 << 52

// parsePacket reads `2/name,17["event",1]`: type, namespace, number, data.
func parsePacket(s string) (packet, error) {
	if s == "" || s[0] < socketConnect || s[0] > socketRefused {
		return packet{}, errPacket
	}
	p := packet{kind: s[0], id: -1}
	s = s[1:]
	if strings.HasPrefix(s, "/") {
		p.namespace, s, _ = strings.Cut(s, ",")
		if p.namespace == "/" {
			p.namespace = ""
		}
	}
	digits := 0
	for digits < len(s) && s[digits] >= '0' && s[digits] <= '9' {
		digits++
	}
	if digits > 0 {
		id, err := strconv.Atoi(s[:digits])
		if err != nil || id > maxID {
			return packet{}, errPacket
		}
		p.id = id
	}
	if p.data = json.RawMessage(s[digits:]); len(p.data) > 0 && !json.Valid(p.data) {
		return packet{}, errPacket
	}
	return p, nil
}

// event reads the name and the arguments of an event.
func (p packet) event() (name string, args []json.RawMessage, err error) {
	var all []json.RawMessage
	if json.Unmarshal(p.data, &all) != nil || len(all) == 0 || json.Unmarshal(all[0], &name) != nil {
		return "", nil, errPacket
	}
	return name, all[1:], nil
}

// encode writes an event or an acknowledgement.
func encode(kind byte, id int, values []any) (string, error) {
	data, err := json.Marshal(values)
	if err != nil {
		return "", fmt.Errorf("socketio: %w", err)
	}
	number := ""
	if id >= 0 {
		number = strconv.Itoa(id)
	}
	return string([]byte{engineMessage, kind}) + number + string(data), nil
}
