package pool_test

import (
	"errors"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/kv/pool"
	"pgregory.net/rapid"
)

// device counts the memory that is really allocated.
type device struct {
	live  int
	fail  bool
	panic bool
}

type piece struct {
	device *device
	freed  bool
}

func (d *device) allocate() (pool.Memory, error) {
	if d.panic {
		panic("device lost")
	}
	if d.fail {
		return nil, errors.New("device out of memory")
	}
	d.live++
	return &piece{device: d}, nil
}

func (p *piece) Free() {
	if p.freed {
		panic("freed twice")
	}
	p.freed = true
	p.device.live--
}

func newPool(t interface{ Fatal(...any) }, d *device, budget, block int64) *pool.Pool {
	p, err := pool.New(pool.Config{Budget: budget, BlockBytes: block, Allocate: d.allocate})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The pool agrees with a simple count of references, whatever the order of operations and failures.
func TestPoolKeepsItsInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := &device{}
		budget := rapid.Int64Range(100, 1000).Draw(t, "budget")
		p := newPool(t, d, budget, 100)
		refs := map[*pool.Block]int{}
		var held []*pool.Block
		pick := func(t *rapid.T) int { return rapid.IntRange(0, len(held)-1).Draw(t, "which") }
		t.Repeat(map[string]func(*rapid.T){
			"take": func(t *rapid.T) {
				d.fail, d.panic = rapid.Bool().Draw(t, "fail"), rapid.Bool().Draw(t, "panic")
				free := p.Free()
				block, err := p.Allocate()
				switch {
				case free == 0 && !errors.Is(err, pool.ErrFull):
					t.Fatalf("a full pool answered %v", err)
				case free > 0 && (err == nil) == (d.fail || d.panic):
					t.Fatalf("with %d free and fail=%v panic=%v: %v", free, d.fail, d.panic, err)
				case err == nil:
					refs[block]++
					held = append(held, block)
				}
			},
			"share": func(t *rapid.T) {
				if len(held) == 0 {
					return
				}
				block := held[pick(t)]
				p.AddRef(block)
				refs[block]++
				held = append(held, block)
			},
			"give": func(t *rapid.T) {
				if len(held) == 0 {
					return
				}
				i := pick(t)
				block := held[i]
				p.Release(block)
				held = append(held[:i], held[i+1:]...)
				if refs[block]--; refs[block] == 0 {
					delete(refs, block)
				}
			},
			"": func(t *rapid.T) {
				if err := p.Check(); err != nil {
					t.Fatal(err)
				}
				stats := p.Stats()
				if stats.Blocks != len(refs) || d.live != len(refs) {
					t.Fatalf("pool says %d, device %d, expected %d", stats.Blocks, d.live, len(refs))
				}
				if p.Free() != p.Capacity()-len(refs) {
					t.Fatalf("%d free of %d with %d in use", p.Free(), p.Capacity(), len(refs))
				}
			},
		})
	})
}

func TestPoolRefusesABudgetBelowOneBlock(t *testing.T) {
	if _, err := pool.New(pool.Config{Budget: 99, BlockBytes: 100}); err == nil {
		t.Fatal("accepted")
	}
}

func TestPoolPanicsOnABlockGivenTwice(t *testing.T) {
	p := newPool(t, &device{}, 100, 100)
	block, err := p.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	p.Release(block)
	defer func() {
		if recover() == nil {
			t.Fatal("no panic")
		}
	}()
	p.Release(block)
}
