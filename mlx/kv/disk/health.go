package disk

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/agent-memory/agent-memory/platform/vfs"
)

// health knows whether the disk works and how fast it stores.
type health struct {
	cfg   *Config
	alarm *alarm

	mu      sync.Mutex
	problem string               // why the tier is degraded; empty if it isn't
	failure chan struct{}        // closed while the tier is degraded
	failed  failedStore          // what must be possible again before the tier heals
	writing map[string]time.Time // when each store under way began, by temp file
	slow    time.Duration        // how long the last store took, if that was too long
}

// failedStore is the largest store that failed since the tier was healthy, and where the last one failed.
type failedStore struct {
	size int64
	path string // its folders must be there
}

func newHealth(cfg *Config, alarm *alarm) *health {
	return &health{cfg: cfg, alarm: alarm, failure: make(chan struct{}), writing: map[string]time.Time{}}
}

// report tells whether the tier is healthy, and what is wrong: a failure, or a store that took or is taking
// too long.
func (h *health) report() (healthy bool, problem string) {
	now := h.cfg.Clock()
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.problem == "", h.describe(now)
}

// describe returns the problem. The caller holds the lock.
func (h *health) describe(now time.Time) string {
	if h.problem != "" {
		return h.problem
	}
	slowest := h.slow
	for _, begin := range h.writing {
		slowest = max(slowest, now.Sub(begin))
	}
	if slowest <= h.cfg.SlowWrite {
		return ""
	}
	return fmt.Sprintf("the disk is slow: a store takes %s; nothing is lost, but use a faster disk or store less",
		slowest.Round(time.Millisecond))
}

func (h *health) startWrite(temp string) {
	now := h.cfg.Clock()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.writing[temp] = now
}

func (h *health) endWrite(temp string) {
	now := h.cfg.Clock()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.slow = 0
	if took := now.Sub(h.writing[temp]); took > h.cfg.SlowWrite {
		h.slow = took
	}
	delete(h.writing, temp)
}

// fail wraps a failure of the disk and degrades the tier: one warning, no stores until Run finds that they
// work. The caller holds no lock.
func (h *health) fail(doing string, size int64, err error) error {
	err = fmt.Errorf("%s: %w", doing, err)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	advice := advise(err)
	if !h.degrade(fmt.Sprintf("%v; %s", err, advice), size) {
		return err
	}
	h.cfg.Log.Warn("disk_tier_degraded", "error", err.Error(), "advice", advice)
	if h.cfg.Listener.Degraded != nil {
		h.cfg.Listener.Degraded(err)
	}
	return err
}

// degrade notes the problem and tells whether the tier was healthy before.
func (h *health) degrade(problem string, size int64) bool {
	h.mu.Lock()
	wasHealthy := h.problem == ""
	h.failed.size = max(h.failed.size, size)
	if wasHealthy {
		h.problem = problem
		close(h.failure)
	}
	h.mu.Unlock()
	h.alarm.raise()
	return wasHealthy
}

func (h *health) isDegraded() bool { return h.degradation() != "" }

// degradation is why the tier is degraded, or empty.
func (h *health) degradation() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.problem
}

// untilDegraded returns a channel that is closed when the tier becomes degraded, or is already.
func (h *health) untilDegraded() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.failure
}

func (h *health) failedStore() failedStore {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.failed
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
	case errors.Is(err, vfs.ErrLocked):
		return "another process took the folder after it had been removed: end one of the two, or give each its own folder"
	default:
		return "stores are refused until the folder can be written again"
	}
}

// heal takes the tier into service again.
func (h *health) heal() {
	h.mu.Lock()
	if h.problem != "" {
		h.failure = make(chan struct{})
	}
	h.problem, h.failed = "", failedStore{}
	h.mu.Unlock()
	h.cfg.Log.Info("disk_tier_healed", "note", "blocks are stored again")
	if h.cfg.Listener.Healed != nil {
		h.cfg.Listener.Healed()
	}
}

// recordPath notes where a store failed, so that the tier heals only once its folders can be made.
func (h *health) recordPath(rel string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failed.path = rel
}
