package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/batch"
	"github.com/muster-fleet/muster/internal/httpapi"
	"github.com/muster-fleet/muster/internal/room"
)

const (
	// completeTime bounds what the shell waits for.
	completeTime = time.Second
	// maxOffers is how many words are offered.
	maxOffers = 200
)

// fixedWords returns what a flag takes, where it does not depend on the cluster.
func fixedWords(f *pflag.Flag) []string {
	switch f.Name {
	case "policy":
		return []string{"wait", "hand-back", "end"}
	case "debit":
		return []string{"learned", "fixed", "off", "reset"}
	case "log-level":
		return []string{"debug", "info", "warn", "error"}
	}
	if name, _ := pflag.UnquoteUsage(f); strings.Contains(name, "|") && name == strings.ToLower(name) {
		return strings.Split(name, "|")
	}
	return nil
}

// flagKinds are the names that flags take, in the words of arguments.
var flagKinds = map[string]string{
	"purpose": "PURPOSE", "worker": "WORKER", "region": "REGION", "isp": "ISP", "label": "LABEL", "drain": "NUMBER", "state": "STATE", "role": "ROLE",
}

// completions has the shell be offered words for the arguments and flags of all
// commands: names of the running cluster, of batches, and fixed words.
func completions(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		completions(sub)
	}
	if argumentOf(cmd.Use, 0) != "" && cmd.ValidArgsFunction == nil {
		cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			return offers(cmd, argumentOf(cmd.Use, len(args)), args, typed)
		}
	}
	cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		words := fixedWords(f)
		complete := cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
		if kind := flagKinds[f.Name]; kind != "" {
			complete = func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
				return offers(cmd, kind, args, typed)
			}
		} else if words == nil {
			return
		}
		if err := cmd.RegisterFlagCompletionFunc(f.Name, complete); err != nil {
			panic(err) // the flag does not exist
		}
	})
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

// offers are the words for an argument or a flag of a command.
func offers(cmd *cobra.Command, kind string, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	words, err := wordsWithoutCluster(cmd, kind)
	if len(words) == 0 && err == nil && cmd.Flags().Lookup("url") != nil {
		words, err = askedWords(cmd, kind, args, typed)
	}
	if err != nil {
		cobra.CompDebugln(fmt.Sprintf("%s: %v", cmd.Name(), err), false)
	}
	words = slices.DeleteFunc(words, func(word string) bool { return word == "" || !strings.HasPrefix(word, typed) })
	return words[:min(len(words), maxOffers)], cobra.ShellCompDirectiveNoFileComp
}

// wordsWithoutCluster are words that need no cluster.
func wordsWithoutCluster(cmd *cobra.Command, kind string) (words []string, err error) {
	switch {
	case kind == "JOB":
		store, err := batch.Home()
		if err != nil {
			return nil, err
		}
		all, err := store.List()
		for _, b := range slices.Backward(all) {
			words = append(words, b.ID)
		}
		return words, err
	case kind == "NAME" && cmd.Name() == "strategy":
		return wordsFrom(muster.Strategies, func(s muster.Strategy) string { return string(s) }), nil
	case kind == "STATE" && cmd.Name() == "workers":
		return slices.Clone(workerStates), nil
	case kind == "STATE":
		return slices.Clone(taskStates), nil
	case kind == "ROLE" && cmd.Name() == "token":
		return wordsFrom(room.Roles, func(r room.Role) string { return string(r) }), nil
	case kind == "ROLE":
		return wordsFrom(httpapi.Roles, func(r httpapi.Role) string { return string(r) }), nil
	}
	return nil, nil
}

// wordsFrom takes a word from each item of a list.
func wordsFrom[T any](list []T, word func(T) string) []string {
	words := make([]string, len(list))
	for i, item := range list {
		words[i] = word(item)
	}
	return words
}

// askedWords asks the cluster. What it has said when the time is up is offered.
func askedWords(cmd *cobra.Command, kind string, args []string, typed string) (words []string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), completeTime)
	defer cancel()
	limit := completeTime
	a := &asking{settings: reaching(cmd), timeout: &limit}
	err = a.session(ctx, func(_, limited context.Context, c *client.Client) (err error) {
		words, err = wordsOf(limited, c, kind, args, typed)
		return err
	})
	return words, err
}

// wordsOf asks the cluster for the words of a kind.
func wordsOf(ctx context.Context, c *client.Client, kind string, args []string, typed string) (words []string, err error) {
	switch kind {
	case "PURPOSE":
		s, err := c.Status(ctx)
		return wordsFrom(s.Purposes, func(p client.PurposeStatus) string { return p.Purpose }), err
	case "MANAGER":
		s, err := c.Status(ctx)
		for _, m := range s.Managers {
			words = append(words, m.Addr, m.ID)
		}
		return words, err
	case "WORKER", "ID":
		return c.WorkerIDs(ctx, "")
	case "REGION", "ISP", "LABEL":
		return propertiesOf(ctx, c, kind)
	case "TASK":
		return tasksLike(ctx, c, optional(args), typed)
	case "ROOM":
		return tasksLike(ctx, c, room.PurposeConference, typed)
	case "USER":
		s, err := keptRoom(ctx, c, args[0])
		return wordsFrom(s.Participants, func(p room.Participant) string { return p.User }), err
	case "NODE":
		nodes, err := nodesOf(ctx, c, "")
		return wordsFrom(nodes, func(n muster.Node) string { return n.ID }), err
	case "NUMBER":
		drains, err := c.Drains(ctx)
		return wordsFrom(drains, func(d muster.Drain) string { return fmt.Sprint(d.ID) }), err
	}
	return nil, nil
}

// tasksLike are tasks of a purpose whose names begin like that.
func tasksLike(ctx context.Context, c *client.Client, purpose, typed string) (words []string, err error) {
	for task, err := range c.EachTask(ctx, client.TaskQuery{Purpose: purpose, Limit: client.MaxPage}) {
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
}

// propertiesOf are the regions, isps or labels that workers have.
func propertiesOf(ctx context.Context, c *client.Client, kind string) (words []string, err error) {
	for w, err := range c.EachWorker(ctx, client.WorkerQuery{Limit: client.MaxPage}) {
		if err != nil {
			return words, err
		}
		switch kind {
		case "REGION":
			words = append(words, w.Info.Capacity.Regions...)
		case "ISP":
			words = append(words, w.Info.Capacity.ISPs...)
		default:
			for key, value := range w.Info.Labels {
				words = append(words, key+"="+value)
			}
		}
	}
	slices.Sort(words)
	return slices.Compact(words), nil
}
