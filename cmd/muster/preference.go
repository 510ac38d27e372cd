package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/muster-fleet/muster"

	"github.com/muster-fleet/muster/internal/cli"
)

// mergePreference puts --isp and --region into the object of --preference, and
// returns what travels: nil where nothing is preferred.
func mergePreference(text, isp, region string) (json.RawMessage, error) {
	named := map[string]string{"isp": isp, "region": region}
	if text != "" && !json.Valid([]byte(text)) {
		return nil, cli.Usagef("--preference is not JSON: %s (quote it: --preference '{\"isp\": \"a\"}')", text)
	}
	if isp == "" && region == "" {
		if text == "" {
			return nil, nil
		}
		return checkPreference(json.RawMessage(text))
	}
	members := map[string]json.RawMessage{}
	if text != "" && !strings.HasPrefix(strings.TrimSpace(text), "{") {
		return nil, cli.Usagef("--isp and --region need --preference to be an object, not %s", text)
	}
	if text != "" {
		if err := json.Unmarshal([]byte(text), &members); err != nil {
			return nil, cli.Usagef("--preference: %v", err)
		}
	}
	if err := addMembers(members, named); err != nil {
		return nil, err
	}
	merged, err := json.Marshal(members)
	if err != nil {
		return nil, fmt.Errorf("preference: %w", err)
	}
	return checkPreference(merged)
}

func addMembers(members map[string]json.RawMessage, named map[string]string) error {
	for name, value := range named {
		if value == "" {
			continue
		}
		if _, twice := members[name]; twice {
			return cli.Usagef("--%s and the preference's own %q: give one of them", name, name)
		}
		raw, err := json.Marshal(value)
		if err != nil {
			return fmt.Errorf("--%s: %w", name, err)
		}
		members[name] = raw
	}
	return nil
}

// checkPreference finds here what the manager would refuse.
func checkPreference(raw json.RawMessage) (json.RawMessage, error) {
	if _, err := muster.ParsePreference(raw); err != nil {
		return nil, cli.Usagef("%v", err)
	}
	return raw, nil
}
