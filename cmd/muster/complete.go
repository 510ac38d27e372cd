package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/client"
)

const (
	// completeTime bounds what the shell waits for.
	completeTime = time.Second
	// maxOffers is how many words are offered.
	maxOffers = 200
)

// complete offers the words of the running cluster for an argument: what is wanted
// is in the command's usage, such as "why PURPOSE TASK".
func (a *asking) complete(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	kind := argumentOf(cmd.Use, len(args))
	return a.offers(cmd, kind, args, typed)
}

// argumentOf returns the name of an argument in a line of usage, "" where there is
// none.
func argumentOf(use string, n int) string {
	names := strings.Fields(use)[1:]
	if n >= len(names) {
		if len(names) == 0 || !strings.HasSuffix(strings.Trim(names[len(names)-1], "[]"), "...") {
			return ""
		}
		n = len(names) - 1
	}
	return strings.TrimSuffix(strings.Trim(names[n], "[]"), "...")
}

// completeFlag offers the words of the running cluster for a flag.
func (a *asking) completeFlag(flag, kind string) {
	complete := func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		return a.offers(cmd, kind, args, typed)
	}
	if err := a.cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
		panic(err) // the flag does not exist
	}
}

// completeWords offers fixed words for a flag.
func completeWords(cmd *cobra.Command, flag string, words ...string) {
	fixed := cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
	if err := cmd.RegisterFlagCompletionFunc(flag, fixed); err != nil {
		panic(err) // the flag does not exist
	}
}

func (a *asking) offers(cmd *cobra.Command, kind string, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(context.Background(), completeTime)
	defer cancel()
	*a.timeout = completeTime
	var words []string
	err := a.session(ctx, func(_, limited context.Context, c *client.Client) (err error) {
		words, err = wordsOf(limited, c, kind, args, typed)
		return err
	})
	if err != nil {
		cobra.CompDebugln(fmt.Sprintf("%s: %v", cmd.Name(), err), false)
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	words = slices.DeleteFunc(words, func(word string) bool { return !strings.HasPrefix(word, typed) })
	return words[:min(len(words), maxOffers)], cobra.ShellCompDirectiveNoFileComp
}

// wordsOf asks the cluster for the words of a kind.
func wordsOf(ctx context.Context, c *client.Client, kind string, args []string, typed string) ([]string, error) {
	var words []string
	switch kind {
	case "PURPOSE":
		s, err := c.Status(ctx)
		for _, p := range s.Purposes {
			words = append(words, p.Purpose)
		}
		return words, err
	case "WORKER", "ID":
		return c.WorkerIDs(ctx, "")
	case "TASK":
		for task, err := range c.EachTask(ctx, client.TaskQuery{Purpose: optional(args), Limit: client.MaxPage}) {
			if err != nil {
				return words, err
			}
			if strings.HasPrefix(task.Task, typed) {
				words = append(words, task.Task)
			}
			if len(words) == maxOffers {
				break
			}
		}
		return words, nil
	case "NODE":
		nodes, err := nodesOf(ctx, c, "")
		for _, n := range nodes {
			words = append(words, n.ID)
		}
		return words, err
	case "NAME":
		for _, s := range muster.Strategies {
			words = append(words, string(s))
		}
	case "NUMBER":
		drains, err := c.Drains(ctx)
		for _, d := range drains {
			words = append(words, fmt.Sprint(d.ID))
		}
		return words, err
	}
	return words, nil
}
