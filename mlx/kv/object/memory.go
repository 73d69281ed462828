package object

import (
	"container/list"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// suspicion is how long a block that was found damaged counts as missing here.
const suspicion = 10 * time.Minute

// place is a block's in all spaces.
type place struct {
	kv.Space
	key kv.Key
}

// presence is what is remembered of a block that is there.
type presence struct {
	until time.Time
	order *list.Element
}

// absence is what is remembered of a block that is missing, or that was found damaged.
type absence struct {
	until     time.Time
	isDamaged bool // the object may be there
}

// memory is what the tier was told of late. Tier.mu guards it.
type memory struct {
	index  *kv.Index[presence]
	order  *list.List // of places, the one used last in front
	absent map[place]absence
	most   int
}

func newMemory(cfg Config) memory {
	return memory{kv.NewIndex[presence](), list.New(), map[place]absence{}, cfg.Remember}
}

// add remembers a block, and forgets the one used longest ago if there are too many.
func (m *memory) add(e kv.Entry, until time.Time) {
	delete(m.absent, place{e.Space, e.Key})
	if there := m.index.Get(e.Space, e.Key); there != nil {
		there.Value.until = until
		m.order.MoveToFront(there.Value.order)
		return
	}
	for m.index.Len() >= m.most {
		m.remove(m.order.Back().Value.(place))
	}
	m.index.Add(e, presence{until, m.order.PushFront(place{e.Space, e.Key})})
}

func (m *memory) remove(at place) {
	if there := m.index.Get(at.Space, at.key); there != nil {
		m.order.Remove(there.Value.order)
		m.index.Remove(at.Space, at.key)
	}
}

// miss remembers that a block is not to be had.
func (m *memory) miss(at place, a absence, now time.Time) {
	m.remove(at)
	if len(m.absent) >= m.most {
		m.forgetAbsences(now)
	}
	m.absent[at] = a
}

// forgetAbsences makes room: those that have expired go, and if all are fresh, all.
func (m *memory) forgetAbsences(now time.Time) {
	for at, a := range m.absent {
		if !now.Before(a.until) {
			delete(m.absent, at)
		}
	}
	if len(m.absent) >= m.most {
		clear(m.absent)
	}
}

// copyOf is what is remembered of a block.
func (m *memory) copyOf(ref kv.Ref, now time.Time) kv.Copy {
	at := place{ref.Space, ref.Key}
	if a, is := m.absent[at]; is && now.Before(a.until) {
		return kv.Copy{}
	}
	if there := m.index.Get(ref.Space, ref.Key); there != nil && now.Before(there.Value.until) {
		m.order.MoveToFront(there.Value.order)
		return kv.Copy{Bytes: there.Bytes}
	}
	return kv.Copy{IsUnknown: true}
}

// trust remembers a block that was stored, and ends every suspicion.
func (t *Tier) trust(e kv.Entry) {
	t.with(func(now time.Time) { t.memory.add(e, now.Add(t.cfg.Expiry)) })
}

// remember notes that a block is there, unless it is suspected.
func (t *Tier) remember(e kv.Entry) {
	t.with(func(now time.Time) {
		if a := t.memory.absent[place{e.Space, e.Key}]; !a.isDamaged || !now.Before(a.until) {
			t.memory.add(e, now.Add(t.cfg.Expiry))
		}
	})
}

// forget notes that a block is not there.
func (t *Tier) forget(ref kv.Ref) {
	t.with(func(now time.Time) {
		t.memory.miss(place{ref.Space, ref.Key}, absence{until: now.Add(t.cfg.Absence)}, now)
		t.stored.remove(ref.Key)
	})
}

// suspect notes that a block was found damaged.
func (t *Tier) suspect(ref kv.Ref) {
	t.with(func(now time.Time) {
		t.memory.miss(place{ref.Space, ref.Key}, absence{now.Add(suspicion), true}, now)
	})
}

func (t *Tier) isSuspect(ref kv.Ref) (is bool) {
	t.with(func(now time.Time) {
		a := t.memory.absent[place{ref.Space, ref.Key}]
		is = a.isDamaged && now.Before(a.until)
	})
	return is
}

func (t *Tier) with(do func(now time.Time)) {
	now := t.cfg.Clock()
	t.mu.Lock()
	defer t.mu.Unlock()
	do(now)
}
