package disk

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
)

// health is what the disk did of late. Tier.mu guards it.
type health struct {
	problem string               // why the tier is degraded; empty if it isn't
	size    int64                // bytes of the store that failed
	writing map[string]time.Time // stores under way by temp file, with their begin
	slow    time.Duration        // what the last store took, if that was too long
}

// describe tells what is wrong, or that a store took or is taking too long.
func (h *health) describe(now time.Time, limit time.Duration) string {
	if h.problem != "" {
		return h.problem
	}
	slowest := h.slow
	for _, begin := range h.writing {
		slowest = max(slowest, now.Sub(begin))
	}
	if slowest <= limit {
		return ""
	}
	return fmt.Sprintf("the disk is slow: a store takes %s; nothing is lost, but use a faster disk or store less",
		slowest.Round(time.Millisecond))
}

func (t *Tier) startWrite(temp string) {
	now := t.cfg.Clock()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.health.writing[temp] = now
}

func (t *Tier) endWrite(temp string) {
	now := t.cfg.Clock()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.health.slow = 0
	if took := now.Sub(t.health.writing[temp]); took > t.cfg.SlowWrite {
		t.health.slow = took
	}
	delete(t.health.writing, temp)
}

// fail wraps a failure of the disk and degrades the tier: one warning, no stores until Run finds that they work. It
// must not be called with the lock held.
func (t *Tier) fail(doing string, size int64, err error) error {
	err = fmt.Errorf("%s: %w", doing, err)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	advice := advise(err)
	if !t.degrade(fmt.Sprintf("%v; %s", err, advice), size) {
		return err
	}
	t.cfg.Log.Warn("disk_tier_degraded", "error", err.Error(), "advice", advice)
	if t.cfg.Listener.Degraded != nil {
		t.cfg.Listener.Degraded(err)
	}
	return err
}

// degrade tells whether the tier was healthy before.
func (t *Tier) degrade(problem string, size int64) bool {
	t.mu.Lock()
	was := t.health.problem == ""
	t.health.size = max(t.health.size, size)
	if was {
		t.health.problem = problem
	}
	t.mu.Unlock()
	select {
	case t.ailing <- struct{}{}:
	default:
	}
	return was
}

func (t *Tier) isDegraded() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.health.problem != ""
}

// advise says what to do about a failure.
func advise(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "the volume or a quota is full: free some space, or lower the tier's budget"
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return "this process may not write there: check the folder's owner and mode"
	case errors.Is(err, syscall.EROFS):
		return "the volume is read-only: see the kernel's log for the reason, and mount it writable"
	case errors.Is(err, syscall.EIO):
		return "the disk fails: see the kernel's log, and replace it if this comes again"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return "too many files are open: raise the limit"
	default:
		return "stores are refused until the folder can be written again"
	}
}

// probe writes a little, as a store does, and heals the tier if that works and what failed would fit now.
func (t *Tier) probe(ctx context.Context) error {
	t.mu.Lock()
	size := t.health.size
	t.mu.Unlock()
	if err := t.ensureSpace(ctx, size); err != nil {
		return err
	}
	if err := t.makeFolders(tempDir + "/probe"); err != nil {
		return err
	}
	temp := t.newTemp()
	_, err := t.writeTemp(temp, make([]byte, unit))
	if err := errors.Join(err, t.discard(temp), t.cfg.FS.SyncDir(t.at(tempDir))); err != nil {
		return err
	}
	t.heal()
	return nil
}

// ensureSpace evicts if the volume lacks the bytes, and fails if it still does then.
func (t *Tier) ensureSpace(ctx context.Context, size int64) error {
	room := roomFor(int(size))
	free, err := t.free()
	if err != nil || free >= room {
		return err
	}
	if err := t.trim(ctx, room); err != nil {
		return err
	}
	if free, err = t.free(); err == nil && free < room {
		err = fmt.Errorf("%d bytes are free on the volume: %w", free, syscall.ENOSPC)
	}
	return err
}

func (t *Tier) heal() {
	t.mu.Lock()
	t.health.problem, t.health.size = "", 0
	t.mu.Unlock()
	t.cfg.Log.Info("disk_tier_healed", "note", "blocks are stored again")
	if t.cfg.Listener.Healed != nil {
		t.cfg.Listener.Healed()
	}
}
