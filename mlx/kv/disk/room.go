package disk

import (
	"context"
	"errors"
	"fmt"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// lowMark is the mark down to which eviction goes once the budget is used up.
func (e *evictor) lowMark() int64 { return e.cfg.Budget / 100 * 95 }

// reserve takes room for a store, and evicts blocks for it if need be. ErrRefused: nothing can be evicted.
func (e *evictor) reserve(ctx context.Context, room int64) error {
	if ok, err := e.tryReserve(room); ok || err != nil {
		return err
	}
	return e.exclusively(ctx, func() error { return e.reserveLocked(room) })
}

// reserveLocked takes room, by eviction unless another one has made enough meanwhile. The caller has the
// eviction lock.
func (e *evictor) reserveLocked(room int64) error {
	if ok, err := e.tryReserve(room); ok || err != nil {
		return err
	}
	err := e.makeRoom(room, false)
	if errors.Is(err, kv.ErrRefused) {
		e.folders.removeEmpty()
		err = e.makeRoom(room, false)
	}
	if err != nil {
		return err
	}
	ok, err := e.tryReserve(room)
	if err == nil && !ok {
		err = fmt.Errorf("%w: no room for %d bytes", kv.ErrRefused, room)
	}
	return err
}

// tryReserve takes room if the budget and the floor of free space allow it.
func (e *evictor) tryReserve(room int64) (bool, error) {
	free, err := e.free()
	if err != nil {
		return false, err
	}
	e.catalog.mu.Lock()
	defer e.catalog.mu.Unlock()
	if e.shortage(room, free).least > 0 {
		return false, nil
	}
	e.catalog.ledger.reserved += room
	return true, nil
}

func (e *evictor) free() (int64, error) {
	free, err := e.cfg.FS.Free(e.cfg.Dir)
	if err != nil {
		return 0, e.health.fail("ask for the volume's free space", 0, err)
	}
	return free, nil
}

// shortage is how many bytes must be evicted for more room.
type shortage struct {
	least  int64 // without which there is no room
	better int64 // down to the low mark
	reason string
}

// shortage is computed from the volume's free bytes. The caller holds the catalog's lock. Bytes that writes
// under way have written already count twice against the floor: eviction begins rather too early than too
// late.
func (e *evictor) shortage(room, free int64) shortage {
	wanted := e.catalog.ledger.reserved + room
	over := e.catalog.ledger.used + wanted - e.cfg.Budget
	floor := e.cfg.MinFree + wanted - free
	short := shortage{least: max(over, floor), better: floor, reason: ReasonFreeSpace}
	if over > 0 {
		short.better, short.reason = max(floor, e.catalog.ledger.used+wanted-e.lowMark()), ReasonBudget
	}
	return short
}

// unreserve gives back the room of a store that failed.
func (e *evictor) unreserve(room int64) {
	e.catalog.mu.Lock()
	defer e.catalog.mu.Unlock()
	e.catalog.ledger.reserved -= room
}
