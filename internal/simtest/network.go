package simtest

import "time"

// queueName is the name of the machine that the message queue runs on.
const queueName = "queue"

// network is what lies between processes. Its faults are by name.
type network struct {
	cuts map[[2]string]bool // from, to
	// changed is when a cut between a machine and another, such as the queue,
	// began or ended last.
	changed map[string]time.Duration

	// Of a thousand messages between managers, so many are lost, doubled, or
	// late (and so overtaken by others).
	lost, doubled, late int
	// slow is the most that a message takes that is late.
	slow time.Duration
}

func (n *network) isCut(from, to string) bool { return n.cuts[[2]string{from, to}] }

// cut lets nothing pass in one direction.
func (s *Sim) cut(from, to string) {
	s.logf("cut: %s to %s", from, to)
	s.cutPair(from, to)
}

func (s *Sim) cutPair(from, to string) {
	s.net.cuts[[2]string{from, to}] = true
	s.net.changed[from], s.net.changed[to] = s.now, s.now
}

// split cuts groups of machines from each other, in both directions.
func (s *Sim) split(groups ...[]string) {
	s.logf("split: %v", groups)
	for i, group := range groups {
		for _, other := range groups[i+1:] {
			for _, a := range group {
				for _, b := range other {
					s.cutPair(a, b)
					s.cutPair(b, a)
				}
			}
		}
	}
}

// heal ends all cuts: what connections held up arrives.
func (s *Sim) heal() {
	if len(s.net.cuts) == 0 {
		return
	}
	s.logf("healed")
	for pair := range s.net.cuts {
		s.net.changed[pair[0]], s.net.changed[pair[1]] = s.now, s.now
	}
	clear(s.net.cuts)
	for _, c := range s.conns {
		c.up.flow()
		c.down.flow()
	}
}

// transit is how long a message takes.
func (s *Sim) transit() time.Duration {
	if s.chance(s.net.late) {
		return s.between(0, s.net.slow)
	}
	return s.between(50*time.Microsecond, 300*time.Microsecond)
}

// datagram is a message between managers that may be lost, doubled and
// overtaken. arrived is called at least once, with the outcome.
func (s *Sim) datagram(from, to string, arrived func(ok bool)) {
	n := &s.net
	times := 1
	if s.chance(n.doubled) {
		times = 2
	}
	lost := s.chance(n.lost)
	for range times {
		s.after(s.transit(), func() { arrived(!lost && !n.isCut(from, to)) })
	}
}

// pipe is one direction of a connection: what is sent arrives in order. While
// the network is cut it waits, as TCP does.
type pipe struct {
	sim      *Sim
	from, to string
	last     time.Duration // when the last message arrives
	held     []func()
}

func (p *pipe) send(arrive func()) {
	s := p.sim
	p.last = max(p.last, s.now+s.transit())
	s.after(p.last-s.now, func() {
		if len(p.held) > 0 || s.net.isCut(p.from, p.to) {
			p.held = append(p.held, arrive)
			return
		}
		arrive()
	})
}

// flow lets what was held up arrive.
func (p *pipe) flow() {
	held := p.held
	p.held = nil
	for _, arrive := range held {
		arrive()
	}
}
