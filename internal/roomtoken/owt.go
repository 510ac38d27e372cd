package roomtoken

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
)

// owtToken is a token as the clients of OWT read it: they need Host and Secure.
// The rest is the portal's; ours is the token in Signature.
type owtToken struct {
	TokenID   string `json:"tokenId"`
	Host      string `json:"host"`
	Secure    bool   `json:"secure"`
	Signature string `json:"signature"`
}

// OWT makes a token for clients of OWT of one that Sign made. portal is the URL
// at which they reach a portal.
func OWT(token, portal string) (string, error) {
	u, err := url.Parse(portal)
	switch {
	case err != nil:
		return "", fmt.Errorf("roomtoken: %w", err)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return "", fmt.Errorf("roomtoken: the portal must be a URL of http or https, not %q", portal)
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return "", fmt.Errorf("roomtoken: clients of OWT reach a portal at the root of a host only, not at %q", portal)
	}
	body, err := json.Marshal(owtToken{rand.Text(), u.Host, u.Scheme == "https", token})
	if err != nil {
		return "", fmt.Errorf("roomtoken: %w", err)
	}
	return base64.StdEncoding.EncodeToString(body), nil
}

// FromOWT is the token in one of OWT, which Open then checks.
func FromOWT(text string) (string, error) {
	var t owtToken
	body, err := base64.StdEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(body, &t) != nil || t.Signature == "" {
		return "", ErrInvalid
	}
	return t.Signature, nil
}
