package kv

import "time"

// keeping is what is known of a sealed block's copies in lower tiers.
type keeping uint8

const (
	unkept  keeping = iota // no lower tier is known to have it, and nobody is about to store it
	pending                // it is on its way
	durable                // a lower tier said that it has it
)

// rank is the order in which idle blocks are given up.
type rank uint8

const (
	rankFetched  rank = iota // fetched ahead and not used yet
	rankIdle                 // found again perhaps
	rankRetained             // somebody asked to keep it
	rankPending              // it would be lost

	ranks = iota
)

// rank of an idle block. The caller holds mu.
func (p *Pool) rank(b *Block, now time.Time) rank {
	switch {
	case b.kept == pending:
		return rankPending
	case b.keep.After(now):
		return rankRetained
	case b.fetched:
		return rankFetched
	}
	return rankIdle
}

// Trim frees every block that nobody uses, sealed or ready, and returns what that gave.
func (p *Pool) Trim() Moved {
	freed := p.ReclaimWhile(func(Moved, Idle) bool { return true })
	for block := p.takeReady(); block != nil; block = p.takeReady() {
		p.Give(block)
	}
	return freed
}

// Idle is a sealed block that nobody uses.
type Idle struct {
	Entry
	Used    time.Time // last
	Durable bool      // a lower tier said that it has it
}

// ReclaimWhile frees idle blocks in the order of Take for as long as more, which learns what was freed so far and
// what would be next, wants it. It must not call the pool.
func (p *Pool) ReclaimWhile(more func(freed Moved, next Idle) bool) (freed Moved) {
	for {
		b := p.unlink(func() *Block {
			b := p.victim(rankPending, true)
			if b == nil || !more(freed, b.idle()) {
				return nil
			}
			return b
		})
		if b == nil {
			return freed
		}
		p.free(b)
		freed.Blocks++
		freed.Bytes += p.cfg.BlockBytes
	}
}

func (b *Block) idle() Idle { return Idle{b.sealed.Entry, b.usedAt, b.kept == durable} }

// reclaim frees an idle block of at most the given rank, and reports whether there was one.
func (p *Pool) reclaim(most rank) bool {
	b := p.unlink(func() *Block { return p.victim(most, most > rankIdle) })
	if b == nil {
		return false
	}
	p.free(b)
	if p.cfg.Reclaimed != nil {
		p.cfg.Reclaimed(b.kept != durable)
	}
	return true
}

// unlink makes the block that choose returns impossible to find.
func (p *Pool) unlink(choose func() *Block) *Block {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := choose()
	if b != nil {
		p.forget(b)
	}
	return b
}
