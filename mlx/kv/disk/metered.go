package disk

import "github.com/agent-memory/agent-memory/mlx/kv"

// meteredIndex is the catalog's index of blocks, which tells the meter what enters and leaves it.
type meteredIndex struct {
	*kv.Index[record]
	meter kv.Meter
}

// Add enters a block unless it is there.
func (x meteredIndex) Add(e kv.Entry, r record) (b *block, added bool) {
	if b, added = x.Index.Add(e, r); added {
		x.meter.Entered(r.payer, e.Space, e.Bytes)
	}
	return b, added
}

// Remove forgets a block.
func (x meteredIndex) Remove(s kv.Space, k kv.Key) {
	if b := x.Get(s, k); b != nil {
		x.Index.Remove(s, k)
		x.meter.Left(b.Value.payer, s, b.Bytes)
	}
}
