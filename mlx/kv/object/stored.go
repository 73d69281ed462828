package object

import (
	"container/list"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// mostStored is how many of the blocks that this node stored are remembered, 250 bytes each.
const mostStored = 1 << 17

// storedBlock is a block that this node stored.
type storedBlock struct {
	kv.Space
	key   kv.Key
	payer kv.Payer
	bytes int64
}

// storedBlocks are those that this node stored in the bucket since it started, and that are there as far as it knows: each
// object was stored by one node. The meter is told of them. Of too many the one stored first is forgotten. Tier.mu guards
// them.
type storedBlocks struct {
	meter kv.Meter
	order *list.List // of *storedBlock, the one stored first in front
	at    map[kv.Key]*list.Element
	most  int
}

func newStoredBlocks(meter kv.Meter) *storedBlocks {
	if meter == nil {
		meter = kv.NoMeter{}
	}
	return &storedBlocks{meter: meter, order: list.New(), at: map[kv.Key]*list.Element{}, most: mostStored}
}

func (s *storedBlocks) add(ref kv.Ref, payer kv.Payer, bytes int64) {
	s.remove(ref.Key) // somebody else may have removed it meanwhile
	for s.order.Len() >= s.most {
		s.remove(s.order.Front().Value.(*storedBlock).key)
	}
	s.at[ref.Key] = s.order.PushBack(&storedBlock{ref.Space, ref.Key, payer, bytes})
	s.meter.Entered(payer, ref.Space, bytes)
}

func (s *storedBlocks) remove(key kv.Key) {
	if at := s.at[key]; at != nil {
		b := s.order.Remove(at).(*storedBlock)
		delete(s.at, key)
		s.meter.Left(b.payer, b.Space, b.bytes)
	}
}
