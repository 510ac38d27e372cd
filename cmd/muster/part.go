package main

import (
	"iter"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/cli"
)

// part is the flags that ask for a part of a list.
type part struct {
	limit         int
	state, region string
	labels        map[string]string
}

// partFlags adds them to a command whose items have these states.
func partFlags(cmd *cobra.Command, states string) *part {
	p := &part{}
	cmd.Flags().IntVar(&p.limit, "limit", 0, "list so many at most (default: all)")
	cmd.Flags().StringVar(&p.state, "state", "", "only those in this `state`: "+states)
	cmd.Flags().StringVar(&p.region, "region", "", "only those of workers that serve this `region`")
	cmd.Flags().StringToStringVar(&p.labels, "label", nil, "only those of workers with this label, `key=value`; all of several")
	return p
}

// check finds what is wrong with the flags.
func (p *part) check(states ...string) error {
	if p.limit < 0 {
		return cli.Usagef("--limit must not be negative, but is %d", p.limit)
	}
	if p.state != "" && !slices.Contains(states, p.state) {
		return cli.Usagef("--state must be one of %s, not %q", strings.Join(states, ", "), p.state)
	}
	return nil
}

// page is how many items to ask for at a time.
func (p *part) page() int {
	if p.limit == 0 {
		return client.MaxPage
	}
	return min(p.limit, client.MaxPage)
}

// firstOf collects that many items, or with 0 all of them.
func firstOf[T any](items iter.Seq2[T, error], limit int) ([]T, error) {
	list := []T{}
	for item, err := range items {
		if err != nil {
			return nil, err
		}
		if list = append(list, item); len(list) == limit {
			break
		}
	}
	return list, nil
}
