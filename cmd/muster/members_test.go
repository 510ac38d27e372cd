package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/client"
)

// cohortTest is managers that agree by Raft, as processes of their own, at the queue
// of another process.
type cohortTest struct {
	t     *testing.T
	url   string
	addrs []string
	at    map[string]*started
}

// beginCohort starts n managers, and picks addresses for more.
func beginCohort(t *testing.T, n, more int) *cohortTest {
	t.Helper()
	t.Setenv("XDG_CONFIG_HOME", t.TempDir()) // where they make up their secret
	_, url := beginManager(t, "--listen", "127.0.0.1:0", "--cluster", "the-queue-only")
	addrs, err := freeAddrs(n + more)
	if err != nil {
		t.Fatal(err)
	}
	c := &cohortTest{t: t, url: url, addrs: addrs, at: map[string]*started{}}
	for _, addr := range addrs[:n] {
		c.begin(addr, addrs[:n])
	}
	c.awaitVoters(addrs[:n]...)
	return c
}

func (c *cohortTest) begin(addr string, peers []string, args ...string) *started {
	c.t.Helper()
	p := begin(c.t, append([]string{"manager", "--url", c.url, "--initial-time", "0s",
		"--raft", addr, "--peers", strings.Join(peers, ",")}, args...)...)
	c.at[addr] = p
	return p
}

func (c *cohortTest) members() []muster.Member {
	c.t.Helper()
	return decoded[[]muster.Member](c.t, "managers", "--url", c.url, "--timeout", "20s")
}

// awaitVoters waits until exactly these vote, and are heard.
func (c *cohortTest) awaitVoters(addrs ...string) {
	c.t.Helper()
	want := slices.Sorted(slices.Values(addrs))
	eventually(c.t, fmt.Sprint("these do not vote: ", want), func() bool {
		var got []string
		out := invoke(c.t, "managers", "--url", c.url)
		return out.status == 0 && func() bool {
			for _, m := range c.members() {
				if m.Voter && m.Active {
					got = append(got, m.Addr)
				}
			}
			slices.Sort(got)
			return slices.Equal(got, want)
		}()
	})
}

func (c *cohortTest) leader() muster.Member {
	c.t.Helper()
	return leaderOf(c.t, c.url)
}

// calls places tasks one after the other until it is stopped. Every call must
// succeed, and every task stay where it is.
type calls struct {
	stop chan struct{}
	done sync.WaitGroup
	made int
}

func (c *cohortTest) place() *calls {
	run := &calls{stop: make(chan struct{})}
	run.done.Go(func() {
		placed := map[string]string{}
		for ; ; run.made++ {
			select {
			case <-run.stop:
				return
			default:
			}
			task := fmt.Sprint("task-", run.made%40)
			out := invoke(c.t, "schedule", "video", task, "--url", c.url, "--timeout", "20s")
			if out.status != 0 {
				c.t.Errorf("call %d: %s", run.made, out.stderr)
				continue
			}
			if before, ok := placed[task]; ok && before != out.stdout {
				c.t.Errorf("%s was %q, and is %q", task, before, out.stdout)
			}
			placed[task] = out.stdout
		}
	})
	return run
}

func (c *calls) end(t *testing.T) {
	close(c.stop)
	c.done.Wait()
	t.Logf("%d calls", c.made)
	if c.made == 0 {
		t.Error("no call was made")
	}
}

// The managers of a cluster are all replaced, one way and another, while tasks
// are placed: every call succeeds.
func TestManagersComeAndGo(t *testing.T) {
	c := beginCohort(t, 3, 2)
	a, b, third, d, e := c.addrs[0], c.addrs[1], c.addrs[2], c.addrs[3], c.addrs[4]
	beginWorker(t, c.url, "v-1", "--purpose", "video")
	free(t, c.url, "v-1")
	run := c.place()

	// One more comes, a follower goes.
	newcomer := c.begin(d, []string{a, b, third})
	newcomer.await("not among those of the cluster yet: let it in with `muster managers add " + d)
	contains(t, done(t, "managers", "add", d, "--url", c.url, "--timeout", "20s"), d, a)
	c.awaitVoters(a, b, third, d)
	lead := c.leader()
	gone := c.addrs[0]
	if lead.Addr == gone {
		gone = b
	}
	done(t, "managers", "remove", gone, "--url", c.url, "--timeout", "20s")
	stay := slices.DeleteFunc([]string{a, b, third, d}, func(addr string) bool { return addr == gone })
	c.awaitVoters(stay...)

	// The leader is killed, and begins anew at its address with an empty log:
	// as another member, without its predecessor's vote.
	c.at[lead.Addr].signal(syscall.SIGKILL)
	c.at[lead.Addr].ends(patience)
	c.begin(lead.Addr, stay)
	c.awaitVoters(stay...)
	for _, m := range c.members() {
		if m.ID == lead.ID {
			t.Errorf("%+v is a member still", m)
		}
	}

	// The leader is taken out by its id, and hands over first.
	c.begin(e, stay)
	done(t, "managers", "add", e, "--url", c.url, "--timeout", "20s")
	lead = c.leader()
	done(t, "managers", "rm", lead.ID, "--url", c.url, "--timeout", "20s")
	stay = slices.DeleteFunc(append(stay, e), func(addr string) bool { return addr == lead.Addr })
	c.awaitVoters(stay...)
	if now := c.leader(); now.Addr == lead.Addr || now.Term <= lead.Term {
		t.Errorf("%+v leads after %+v was removed", now, lead)
	}
	run.end(t)
	audit := done(t, "audit", "--url", c.url, "--timeout", "20s")
	contains(t, audit, "add-manager", d, e, "remove-manager", gone)
	if n := strings.Count(audit, "-manager"); n != 4 {
		t.Errorf("%d changes of managers in the audit, want 4:\n%s", n, audit)
	}

	// Those that were taken out ran on, and did no harm.
	for _, addr := range []string{gone, lead.Addr} {
		c.at[addr].signal(syscall.SIGTERM)
		if status := c.at[addr].ends(patience); status != 0 {
			t.Errorf("the removed manager ends with %d:\n%s", status, c.at[addr].out.String())
		}
	}
}

// Nobody takes out a manager by mistake whose vote is needed, and whoever adds
// one sees how to start it.
func TestRemovalKeepsTheMajority(t *testing.T) {
	c := beginCohort(t, 3, 1)
	url := []string{"--url", c.url, "--timeout", "20s"}
	lead := c.leader().Addr
	rest := slices.DeleteFunc(slices.Clone(c.addrs[:3]), func(addr string) bool { return addr == lead })
	dead, needed := rest[0], rest[1]
	c.at[dead].signal(syscall.SIGKILL)
	eventually(t, "the dead one is still heard", func() bool {
		return slices.ContainsFunc(c.members(), func(m muster.Member) bool { return m.Addr == dead && !m.Active })
	})
	got := refusedWith(t, 1, append([]string{"managers", "remove", needed}, url...)...)
	contains(t, got.stderr, "only 1 of 2 managers that vote are heard", "silent: "+dead, "force")
	done(t, append([]string{"managers", "remove", dead}, url...)...)
	c.awaitVoters(lead, needed)
	done(t, append([]string{"managers", "remove", needed}, url...)...)
	c.awaitVoters(lead)
	contains(t, refusedWith(t, 1, append([]string{"managers", "remove", lead, "--force"}, url...)...).stderr, "the last manager that votes")

	newcomer := c.addrs[3]
	got = refusedWith(t, 1, "managers", "add", newcomer, "--url", c.url, "--timeout", "5s")
	contains(t, got.stderr, newcomer+" is let in, but does not vote yet", "muster manager --raft "+newcomer+" --peers "+lead)
	done(t, append([]string{"managers", "remove", newcomer}, url...)...) // that it never came is no hindrance
	contains(t, refusedWith(t, 1, append([]string{"managers", "remove", "nobody"}, url...)...).stderr, `no manager is called "nobody": there are `+lead)
	contains(t, refusedWith(t, 1, append([]string{"managers", "add", "nobody"}, url...)...).stderr, "must be host:port")
}

// A manager whose peers are all strange does not start a second cluster on the
// same queue; nor does one that is to join others by Raft where one is alone.
func TestNoSecondCluster(t *testing.T) {
	c := beginCohort(t, 1, 1)
	there, stranger := c.addrs[0], c.addrs[1]
	got := refusedWith(t, 1, "manager", "--url", c.url, "--raft", stranger, "--peers", stranger)
	contains(t, got.stderr, "other managers serve this cluster already: "+there, "--peers "+there, "--cluster")
	got = refusedWith(t, 1, "manager", "--url", c.url, "--cluster", "the-queue-only", "--raft", stranger, "--peers", stranger)
	contains(t, got.stderr, "other managers serve this cluster already, and not by Raft")
	if s := decoded[client.Status](t, "status", "--url", c.url); len(s.Managers) != 1 || s.Managers[0].Addr != there {
		t.Errorf("%+v", s.Managers)
	}
	contains(t, refusedWith(t, 1, "managers", "add", stranger, "--url", c.url, "--cluster", "the-queue-only").stderr,
		"this manager is alone", "--raft")
}
