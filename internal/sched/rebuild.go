package sched

import "github.com/muster-fleet/muster"

// tidy rebuilds a pool of which the greater part is empty. It costs as much as
// there are workers, which as many changes have paid for.
func (p *Pool) tidy() {
	if len(p.seats) > 2*p.live+p.limits.Slack || len(p.list) > 2*p.inhabited+p.limits.Slack {
		p.rebuild(func() { clear(p.splits) })
	}
}

// rebuild makes places, classes and index anew, with a change between taking
// the old ones down and setting the new ones up.
func (p *Pool) rebuild(change func()) {
	for w := range p.All() {
		p.detach(w)
	}
	p.dropViews()
	change()
	clear(p.classes)
	p.list = nil
	p.index = p.newIndex()
	p.closeUp()
	for w := range p.All() {
		p.attach(w)
	}
}

// closeUp removes the empty places from the join order.
func (p *Pool) closeUp() {
	p.cursor = int32(p.place())
	kept := make([]seat, 0, p.live)
	for w := range p.All() {
		taken := p.seats[w.ord]
		w.ord = int32(len(kept))
		kept = append(kept, taken)
	}
	p.seats, p.at = kept, make([]int32, len(kept))
}

// label counts the labels of a worker. A key that is new here may be one that
// a view asks for, and took for absent everywhere.
func (p *Pool) label(w *Worker) {
	for key := range w.info.Labels {
		if p.labelled[key]++; p.labelled[key] == 1 && !p.splits[key] {
			p.dropViews()
		}
	}
}

// unlabel undoes label. A key that no worker has any more divides nothing: were
// it kept, keys that change at every join would slow each later one down.
func (p *Pool) unlabel(w *Worker) {
	for key := range w.info.Labels {
		if p.labelled[key]--; p.labelled[key] == 0 {
			delete(p.labelled, key)
			delete(p.splits, key)
		}
	}
}

// split divides the classes by the labels that are asked for. A key that no
// worker has divides nothing, so that callers cannot fill the memory with keys.
func (p *Pool) split(asked []muster.LabelRequirement) {
	var keys []string
	for _, label := range asked {
		if p.labelled[label.Key] > 0 && !p.splits[label.Key] {
			keys = append(keys, label.Key)
		}
	}
	if keys == nil {
		return
	}
	p.rebuild(func() {
		for _, key := range keys {
			p.splits[key] = true
		}
	})
}
