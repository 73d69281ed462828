package cache

import (
	"container/list"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// mostOwed is how many blocks are remembered that left the pool before a tier had them, 200 bytes each.
const mostOwed = 1 << 16

// owed are the blocks that a tier is to get from another one, the oldest first. The cache's lock guards it.
type owed struct {
	order *list.List // of debt
	at    map[place]*list.Element
}

// debt is a block that is owed, and who pays for its way.
type debt struct {
	kv.Ref
	payer kv.Payer
}

func newOwed() *owed { return &owed{list.New(), map[place]*list.Element{}} }

// add remembers a block, and forgets the oldest if there are too many. It tells whether it forgot one.
func (o *owed) add(d debt) (forgot bool) {
	at := placeOf(d.Ref)
	if o.at[at] != nil {
		return false
	}
	o.at[at] = o.order.PushBack(d)
	if o.order.Len() <= mostOwed {
		return false
	}
	o.remove(placeOf(o.order.Front().Value.(debt).Ref))
	return true
}

func (o *owed) remove(at place) {
	if e := o.at[at]; e != nil {
		o.order.Remove(e)
		delete(o.at, at)
	}
}

// take takes the oldest blocks out.
func (o *owed) take(most int) (debts []debt) {
	for e := o.order.Front(); e != nil && len(debts) < most; e = o.order.Front() {
		d := e.Value.(debt)
		o.remove(placeOf(d.Ref))
		debts = append(debts, d)
	}
	return debts
}

// owe remembers that the tier is to get a block that the pool does not have, unless it is on its way.
func (w *writer) owe(ref kv.Ref, payer kv.Payer) {
	w.mu.Lock()
	forgot := w.jobs[placeOf(ref)] == nil && w.owed.add(debt{ref, payer})
	w.mu.Unlock()
	if forgot {
		w.events.dropped("owed")
	}
}

// payOwed has some of what is owed to the tier written to it.
func (w *writer) payOwed(most int) {
	w.mu.Lock()
	debts := w.owed.take(most)
	w.mu.Unlock()
	for _, d := range debts {
		if !w.files.canMake(d.Ref) {
			w.owe(d.Ref, d.payer)
			continue
		}
		w.addNew(&job{Entry: kv.Entry{Ref: d.Ref}, payer: d.payer})
	}
}
