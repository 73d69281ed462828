package cache

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/blockfile"
	"github.com/agent-memory/agent-memory/mlx/kv/pool"
)

// fetcher brings blocks from the tiers into the pool.
type fetcher struct {
	cfg       *Config
	events    *events
	tenants   *tenants
	writeback *writeback
	flights   *flights
	rates     []*rate // of reading, one for each tier
}

func newFetcher(cfg *Config, flights *flights, events *events, tenants *tenants, writeback *writeback) *fetcher {
	f := &fetcher{cfg: cfg, events: events, tenants: tenants, writeback: writeback, flights: flights}
	for range cfg.Tiers {
		f.rates = append(f.rates, &rate{})
	}
	return f
}

// start begins the fetching, which ends with ctx and close.
func (fe *fetcher) start(ctx context.Context, tasks *tasks) {
	if len(fe.cfg.Tiers) == 0 {
		return
	}
	for range fe.cfg.Readers {
		tasks.run(func() { fe.run(ctx) })
	}
}

// close ends the flights that have not begun. The caller holds the cache's lock.
func (fe *fetcher) close() { fe.flights.close() }

// Fetch brings a block into the pool and returns at once. Two who want the same block share one flight, and the first of
// them pays. A flight that has not begun when wanted says false is given up; nil always wants it.
func (fe *fetcher) Fetch(t *kv.Tenant, p kv.Payer, found Found, wanted func() bool) *Flight {
	fe.tenants.add(t)
	others := pool.TierSet(found.Tiers...)
	if len(found.Tiers) == 0 { // it was in the pool only; since then it may have been stored
		for i := range fe.cfg.Tiers {
			found.Tiers = append(found.Tiers, i)
		}
	}
	return fe.flights.begin(&Flight{Found: found, others: others, tenant: t, payer: p, wanted: wanted, done: make(chan struct{})})
}

// run ends one flight after the other until they are closed.
func (fe *fetcher) run(ctx context.Context) {
	buf := fe.cfg.Form.buffer()
	for {
		f := fe.flights.next()
		if f == nil {
			return
		}
		buf = fe.fetch(ctx, f, buf)
		fe.flights.end(f)
		fe.cfg.Arrived()
	}
}

// fetch tries the tiers that have the block, the fastest first, once the pool has room for it: nothing is read
// in vain. It returns the buffer for the next fetch.
func (fe *fetcher) fetch(ctx context.Context, f *Flight, buf []byte) []byte {
	if fe.cfg.Pool.Has(f.Space, f.Key) {
		return buf
	}
	if !fe.flights.isWanted(f) {
		f.err = context.Canceled
		return buf
	}
	ctx = kv.WithPayer(ctx, f.payer)
	room, err := fe.makeRoom(f)
	if err != nil {
		f.err = err
		return buf
	}
	buf, entered := fe.fetchInto(ctx, f, room, buf)
	if !entered {
		fe.cfg.OnDevice(func() { fe.cfg.Pool.Release(room) })
	}
	return buf
}

// makeRoom takes the block that a flight will fill. ErrFull is no failure of any tier.
func (fe *fetcher) makeRoom(f *Flight) (room *pool.Block, err error) {
	allocate := fe.cfg.Pool.AllocateSpare
	if f.urgent.Load() {
		allocate = fe.cfg.Pool.AllocateSafe
	}
	err = errClosed // after the device's end nothing runs there
	fe.cfg.OnDevice(func() { room, err = allocate() })
	return room, err
}

// fetchInto fills the room from the first tier that can, and tells whether the pool has the block now.
func (fe *fetcher) fetchInto(ctx context.Context, f *Flight, room *pool.Block, buf []byte) (_ []byte, entered bool) {
	f.err = kv.ErrNotFound
	for _, i := range f.Tiers {
		began := fe.cfg.Clock()
		buf, entered, f.err = fe.fetchFrom(ctx, f, i, room, buf)
		if f.err == nil {
			fe.arrived(f, i, began)
			if fe.writeback.promote(f.entry, i, buf) {
				buf = fe.cfg.Form.buffer()
			}
		}
		if entered {
			return buf, true
		}
		f.others &^= pool.TierSet(i)
		fe.cfg.Log.Debug("block_not_fetched", "tier", fe.cfg.Tiers[i].Name(), "key", f.Key.String(), "error", f.err)
	}
	return buf, false
}

func (fe *fetcher) arrived(f *Flight, i int, began time.Time) {
	ended := fe.cfg.Clock()
	took := ended.Sub(began)
	f.arrival = Arrival{Tier: fe.cfg.Tiers[i].Name(), Bytes: f.Bytes, Began: began, Ended: ended}
	fe.rates[i].measure(f.Bytes, took, ended)
	fe.events.fetched(Transfer{fe.cfg.Tiers[i].Name(), f.Space, f.payer, f.Bytes, took})
}

// fetchFrom reads the block from one tier, verifies it and puts it into the pool. What the tier could not do is its
// failure; what is wrong with the block is not.
func (fe *fetcher) fetchFrom(ctx context.Context, f *Flight, i int, room *pool.Block, buf []byte) (_ []byte, entered bool, err error) {
	tier := fe.cfg.Tiers[i]
	data, err := fe.read(ctx, f, i, buf)
	if errors.Is(err, kv.ErrDamaged) {
		fe.damaged(ctx, i, f.Ref, err)
		return buf, false, err
	}
	if errors.Is(err, kv.ErrNotFound) {
		fe.writeback.writers[i].lost(f.Ref) // it was believed to be there
	}
	if err != nil {
		fe.events.failed(tier, "fetch", err)
		return buf, false, err
	}
	f.Bytes = int64(len(data))
	header, payload, err := blockfile.Open(f.tenant, f.Ref, data)
	if errors.Is(err, kv.ErrDamaged) {
		fe.damaged(ctx, i, f.Ref, err)
	}
	if err != nil {
		return data, false, err
	}
	f.entry = header.Entry
	entered, err = fe.enter(f, i, header, payload, room)
	return data, entered, err
}

func (fe *fetcher) read(ctx context.Context, f *Flight, i int, buf []byte) ([]byte, error) {
	fe.flights.beginReading(f, i)
	defer fe.flights.endReading(f)
	return get(ctx, fe.cfg.Tiers[i], f.Ref, buf)
}

// damaged puts a block aside that is not what it should be.
func (fe *fetcher) damaged(ctx context.Context, i int, ref kv.Ref, cause error) {
	tier := fe.cfg.Tiers[i]
	fe.events.damaged(tier, ref, cause)
	ctx, cancel := context.WithTimeout(ctx, readDeadline)
	defer cancel()
	if q, quarantines := kv.As[kv.Quarantiner](tier); quarantines {
		fe.events.failed(tier, "quarantine", q.Quarantine(ctx, ref, cause))
	}
	fe.writeback.writers[i].lost(ref) // it may have been computed meanwhile, and its store have met the damaged one
}

// enter puts a verified block into the pool. Entered without an error it can be found there.
func (fe *fetcher) enter(f *Flight, i int, h *blockfile.Header, payload []byte, room *pool.Block) (entered bool, err error) {
	if err := fe.cfg.Form.check(h); err != nil {
		return false, err
	}
	parts := make([][]byte, len(h.Layers))
	for i, layer := range h.Layers {
		parts[i] = payload[layer.Offset : layer.Offset+layer.Length]
	}
	err = errClosed
	fe.cfg.OnDevice(func() { entered, err = fe.load(f, i, h, parts, room) })
	return entered, err
}

func (fe *fetcher) load(f *Flight, i int, h *blockfile.Header, parts [][]byte, room *pool.Block) (entered bool, err error) {
	if err := fe.cfg.Rows.Import(room.Memory(), len(h.Tags), parts); err != nil {
		return false, fmt.Errorf("import block %s: %w", h.Key, err)
	}
	fe.cfg.Pool.Charge(room, f.payer)
	same := fe.cfg.Pool.Publish(room, h.Entry)
	if same == room {
		fe.cfg.Pool.MarkFetched(room, pool.TierSet(i)|f.others)
	}
	fe.cfg.Pool.Release(same)
	if fe.flights.isDeleted(f) { // before it could be found; a later deletion finds it
		fe.cfg.Pool.Remove(f.Space, f.Key)
		return true, errDeleted
	}
	return true, nil
}
