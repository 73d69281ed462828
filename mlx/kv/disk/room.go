package disk

import (
	"context"
	"errors"
	"fmt"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// low is the mark down to which eviction goes once the budget is used up.
func (t *Tier) low() int64 { return t.cfg.Budget / 100 * 95 }

// reserve takes room for a store, and evicts others for it if need be. ErrRefused: nothing can be evicted.
func (t *Tier) reserve(ctx context.Context, room int64) error {
	if ok, err := t.tryReserve(room); ok || err != nil {
		return err
	}
	return t.inTurn(ctx, func() error { return t.reserveInTurn(room) })
}

// reserveInTurn takes room, by eviction unless somebody else's has made enough meanwhile.
func (t *Tier) reserveInTurn(room int64) error {
	if ok, err := t.tryReserve(room); ok || err != nil {
		return err
	}
	err := t.makeRoom(room, false)
	if errors.Is(err, kv.ErrRefused) {
		t.removeEmptyFolders()
		err = t.makeRoom(room, false)
	}
	if err != nil {
		return err
	}
	ok, err := t.tryReserve(room)
	if err == nil && !ok {
		err = fmt.Errorf("%w: no room for %d bytes", kv.ErrRefused, room)
	}
	return err
}

// tryReserve takes room if budget and floor have it.
func (t *Tier) tryReserve(room int64) (bool, error) {
	free, err := t.free()
	if err != nil {
		return false, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.shortage(room, free).least > 0 {
		return false, nil
	}
	t.ledger.reserved += room
	return true, nil
}

func (t *Tier) free() (int64, error) {
	free, err := t.cfg.FS.Free(t.cfg.Dir)
	if err != nil {
		return 0, t.fail("ask for the volume's free space", 0, err)
	}
	return free, nil
}

// shortage is how many bytes are to be given up for more room.
type shortage struct {
	least  int64 // without which there is no room
	better int64 // down to the low mark
	reason string
}

// shortage is computed from the volume's free bytes. The caller holds the lock. What writes under way have written
// already counts twice against the floor: it is held rather too early than too late.
func (t *Tier) shortage(room, free int64) shortage {
	wanted := t.ledger.reserved + room
	over := t.ledger.used + wanted - t.cfg.Budget
	floor := t.cfg.MinFree + wanted - free
	short := shortage{least: max(over, floor), better: floor, reason: ReasonFreeSpace}
	if over > 0 {
		short.better, short.reason = max(floor, t.ledger.used+wanted-t.low()), ReasonBudget
	}
	return short
}

// makeRoom evicts until there is room, whole or not at all unless partly is set. The caller has the turn.
func (t *Tier) makeRoom(room int64, partly bool) error {
	free, err := t.free()
	if err != nil {
		return err
	}
	t.mu.Lock()
	short := t.shortage(room, free)
	var victims []victim
	if short.least > 0 {
		victims = t.choose(short, partly)
	}
	t.mu.Unlock()
	if short.least > 0 && len(victims) == 0 && !partly {
		return fmt.Errorf("%w: %d bytes are lacking by %s, and what lies there is in use or not the tier's to delete",
			kv.ErrRefused, short.least, short.reason)
	}
	return t.erase(victims, short.reason)
}
