package kv_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// cell is memory that knows whether it was freed.
type cell struct{ freed bool }

func (c *cell) Free() {
	if c.freed {
		panic("freed twice")
	}
	c.freed = true
}

// The pool against a simple model: references that the test holds, and what it sealed under which key.
func TestSealedBlocksAreSharedReclaimedAndNeverLostWhileInUse(t *testing.T) {
	const capacity = 5
	rapid.Check(t, func(r *rapid.T) {
		pool, err := kv.NewPool(kv.Config{
			Budget: capacity * 10, BlockBytes: 10, Allocate: func() (kv.Memory, error) { return &cell{}, nil },
		})
		if err != nil {
			r.Fatal(err)
		}
		var held []*kv.Block
		names := map[*kv.Block]kv.Entry{}
		entry := func() kv.Entry {
			e := kv.Entry{Key: kv.Key{rapid.Byte().Draw(r, "key") % 8}}
			e.Parent, e.Tags = kv.Key{e.Key[0] % 2, 1}, make([]kv.Tag, 1+e.Key[0]/2)
			return e
		}
		pick := func() int { return rapid.IntRange(0, len(held)-1).Draw(r, "which") }
		r.Repeat(map[string]func(*rapid.T){
			"take": func(r *rapid.T) {
				free := pool.Free()
				block, err := pool.Take()
				if (err == nil) != (free > 0) {
					r.Fatalf("%d blocks are free, and take says %v", free, err)
				}
				if err == nil {
					held = append(held, block)
				}
			},
			"give": func(r *rapid.T) {
				if len(held) == 0 {
					r.Skip()
				}
				i := pick()
				pool.Give(held[i])
				held = append(held[:i], held[i+1:]...)
			},
			"seal": func(r *rapid.T) {
				if len(held) == 0 {
					r.Skip()
				}
				i, e := pick(), entry()
				if _, sealed := names[held[i]]; sealed {
					r.Skip()
				}
				held[i] = pool.Seal(held[i], e)
				names[held[i]] = e
			},
			"find": func(r *rapid.T) {
				e := entry()
				if block := pool.Find(e.Space, e.Key); block != nil {
					if names[block].Key != e.Key {
						r.Fatalf("found %v under %v", names[block].Key, e.Key)
					}
					held = append(held, block)
				}
			},
			"nearest": func(r *rapid.T) {
				e := entry()
				block, n := pool.Nearest(e.Space, e.Parent, e.Tags)
				if (block == nil) != (n == 0) || block != nil && (names[block].Parent != e.Parent || n > len(names[block].Tags)) {
					r.Fatalf("nearest to %v is %v with %d tokens", e, names[block], n)
				}
				if block != nil {
					held = append(held, block)
				}
			},
			"trim": func(*rapid.T) { pool.Trim() },
			"": func(r *rapid.T) {
				if err := pool.Check(); err != nil {
					r.Fatal(err)
				}
				distinct := map[*kv.Block]bool{}
				for _, block := range held {
					distinct[block] = true
					if block.Memory().(*cell).freed {
						r.Fatal("a block in use was freed")
					}
				}
				if busy := pool.Stats().Busy; busy != int64(10*len(distinct)) {
					r.Fatalf("%d bytes are busy for %d blocks in use", busy, len(distinct))
				}
			},
		})
	})
}
