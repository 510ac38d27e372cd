package roomtoken

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// TURN makes credentials for the TURN servers of the cluster, which a participant
// can use until then. Their form is that of "TURN REST": the name says until when
// and whose they are, the password is its HMAC. So a server checks them alone.
func (k Key) TURN(participant string, until time.Time) (username, password string) {
	username = strconv.FormatInt(until.Unix(), 10) + ":" + participant
	return username, k.turnPassword(username)
}

// OpenTURN returns whose a username of TURN is, and the password that belongs to
// it. With ErrExpired they are valid too: an allocation that exists may outlive
// its credentials.
func (k Key) OpenTURN(username string, now time.Time) (participant, password string, err error) {
	until, participant, _ := strings.Cut(username, ":")
	seconds, err := strconv.ParseInt(until, 10, 64)
	if err != nil || participant == "" {
		return "", "", ErrInvalid
	}
	if now.Unix() >= seconds {
		err = ErrExpired
	}
	return participant, k.turnPassword(username), err
}

func (k Key) turnPassword(username string) string {
	return base64.StdEncoding.EncodeToString(sign(k.turn, username))
}
