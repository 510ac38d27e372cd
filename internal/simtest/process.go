package simtest

import "time"

// process is a program that runs on a machine of its own. It can be killed and
// started again, and it can be stopped for a while without its knowing.
type process struct {
	sim    *Sim
	name   string
	life   int // counts the starts
	up     bool
	paused bool
	// waiting is what came while it was paused.
	waiting []func()
	rests   int // counts the calls of rest
}

// start begins another life.
func (p *process) start() {
	p.life++
	p.up, p.paused, p.waiting = true, false, nil
}

// end is SIGKILL.
func (p *process) end() { p.up, p.paused, p.waiting = false, false, nil }

// when has f run after d, unless the process has ended by then. One that is
// paused does it when it goes on: a clock that ticks again after it has ticked
// then ticks once, as Go's tickers do.
func (p *process) when(d time.Duration, f func()) {
	life := p.life
	p.sim.after(d, func() { p.do(life, f) })
}

// do runs f now, if this life of the process lasts.
func (p *process) do(life int, f func()) {
	switch {
	case !p.up || p.life != life:
	case p.paused:
		p.waiting = append(p.waiting, f)
	default:
		f()
	}
}

// rest has f run after d, unless rest is called again before.
func (p *process) rest(d time.Duration, f func()) {
	p.rests++
	this := p.rests
	p.when(d, func() {
		if p.rests == this {
			f()
		}
	})
}

// every has f run again and again.
func (p *process) every(d time.Duration, f func()) {
	p.when(d, func() {
		f()
		p.every(d, f)
	})
}

// pause is SIGSTOP.
func (p *process) pause() {
	if p.up && !p.paused {
		p.paused = true
		p.sim.logf("%s is stopped", p.name)
	}
}

// resume is SIGCONT. What waited happens at once, in its order.
func (p *process) resume() {
	if !p.paused {
		return
	}
	p.sim.logf("%s goes on", p.name)
	waiting, life := p.waiting, p.life
	p.paused, p.waiting = false, nil
	for _, f := range waiting {
		p.do(life, f)
	}
}

// runs reports that it is up and not paused.
func (p *process) runs() bool { return p.up && !p.paused }
