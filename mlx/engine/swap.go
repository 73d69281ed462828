package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// ErrSwapping refuses a swap while another one is under way.
var ErrSwapping = errors.New("a model is being loaded or unloaded already")

// errSwapped ends the loop of a model whose place another one takes, or none.
var errSwapped = errors.New("the model is swapped")

// swap is a model that is to take the place of what is loaded.
type swap struct {
	open Open // nil: none is to
	done chan error
}

// swaps hands one to the device's thread.
type swaps struct {
	mu     sync.Mutex // held while one is under way
	wanted chan *swap
	closed chan struct{}                 // closed when the thread takes none any more
	holds  atomic.Pointer[chan struct{}] // while one is under way whose requests wait; closed when it is over
}

func newSwaps() *swaps { return &swaps{wanted: make(chan *swap), closed: make(chan struct{})} }

// hold has requests wait until the returned function runs.
func (s *swaps) hold() (end func()) {
	over := make(chan struct{})
	s.holds.Store(&over)
	return func() {
		s.holds.Store(nil)
		close(over)
	}
}

// Await waits for the end of a swap that has requests wait, if there is one, or of ctx.
func (e *Engine) Await(ctx context.Context) {
	if over := e.swaps.holds.Load(); over != nil {
		select {
		case <-*over:
		case <-ctx.Done():
		}
	}
}

func (s *swaps) close() { close(s.closed) }

// Swap puts another model in the place of the loaded one, or of none after an Unload. From its begin new requests are refused with ErrStarting; those that
// were accepted are finished first, for which it waits as long as ctx lasts. What the tiers lack is stored, all memory of the
// old model is freed, and the new one is loaded. If that fails, the old one is loaded again, and the error says why. It returns
// once requests are taken again. holds has those that come by Await wait meanwhile. It returns ErrSwapping while another swap or
// an Unload is under way.
func (e *Engine) Swap(ctx context.Context, open Open, holds bool) error {
	if !e.swaps.mu.TryLock() {
		return ErrSwapping
	}
	defer e.swaps.mu.Unlock()
	if err := e.Absence(); errors.Is(err, ErrStarting) {
		return err
	}
	if holds {
		defer e.swaps.hold()() // after requests are taken again
	}
	return e.exchange(ctx, open)
}

// Unload gives back all that the loaded model takes, and puts none in its place: from its begin new requests are refused, those
// that were accepted are finished first as in Swap, and what the tiers lack is stored. From then on requests are refused with
// ErrUnloaded, until a Swap. Without a model it returns ErrUnloaded.
func (e *Engine) Unload(ctx context.Context) error {
	if !e.swaps.mu.TryLock() {
		return ErrSwapping
	}
	defer e.swaps.mu.Unlock()
	if err := e.Absence(); err != nil {
		return err
	}
	return e.exchange(ctx, nil)
}

// exchange hands a swap to the device's thread once no requests are under way, and waits for its end.
func (e *Engine) exchange(ctx context.Context, open Open) error {
	idle := e.admission.pause()
	defer e.admission.resume()
	select {
	case <-idle:
	case <-e.swaps.closed:
		return ErrDraining
	case <-ctx.Done():
		return fmt.Errorf("wait for the requests that are under way: %w", context.Cause(ctx))
	}
	wanted := &swap{open, make(chan error, 1)}
	select {
	case e.swaps.wanted <- wanted:
	case <-e.swaps.closed:
		return ErrDraining
	}
	select {
	case err := <-wanted.done:
		return err
	case <-e.swaps.closed:
		return ErrDraining
	}
}

// replace puts what a swap names in the place of a model whose memory is given back, or else that model again. was is what it
// was opened by; nil for none. An error ends the engine.
func (e *Engine) replace(was Open, next *swap) (*running, error) {
	if next.open == nil {
		e.noteUnloaded()
		next.done <- nil
		return &running{}, nil
	}
	e.note(nil, "swapping the model", 0)
	now, err := e.open(next.open)
	if err == nil {
		next.done <- nil
		return now, nil
	}
	failure := fmt.Errorf("load another model: %w", err)
	if was == nil {
		e.cfg.Logger.Error("model_swap_failed", "error", err, "note", "no model was loaded before, and none is")
		e.noteUnloaded()
		next.done <- failure
		return &running{}, nil
	}
	e.cfg.Logger.Error("model_swap_failed", "error", err, "note", "the model that was loaded before is loaded again")
	if now, err = e.open(was); err != nil {
		err = fmt.Errorf("load the model again that was loaded before: %w", errors.Join(err, failure))
	}
	next.done <- errors.Join(failure, err)
	return now, err
}
