package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// ErrSwapping refuses a swap while another one is under way.
var ErrSwapping = errors.New("the model is being swapped already")

// errSwapped ends the loop of a model whose place another one takes.
var errSwapped = errors.New("the model is swapped")

// swap is a model that is to take the place of the one that is loaded.
type swap struct {
	open Open
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

// Swap puts another model in the place of the loaded one. From its begin new requests are refused with ErrStarting; those that
// were accepted are finished first, for which it waits as long as ctx lasts. What the tiers lack is stored, all memory of the
// old model is freed, and the new one is loaded. If that fails, the old one is loaded again, and the error says why. It returns
// once requests are taken again. holds has those that come by Await wait meanwhile.
func (e *Engine) Swap(ctx context.Context, open Open, holds bool) error {
	if e.opened() == nil {
		return ErrStarting
	}
	if !e.swaps.mu.TryLock() {
		return ErrSwapping
	}
	defer e.swaps.mu.Unlock()
	if holds {
		defer e.swaps.hold()() // after requests are taken again
	}
	idle := e.admission.pause()
	defer e.admission.resume()
	select {
	case <-idle:
	case <-e.swaps.closed:
		return ErrDraining
	case <-ctx.Done():
		return fmt.Errorf("swap the model: wait for the requests that are under way: %w", context.Cause(ctx))
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

// replace loads another model, whose memory the old one has given back, or else the old one again. open is what loads the
// model that runs now. An error ends the engine.
func (e *Engine) replace(open Open, next *swap) (now Open, model Model, on *loaded, err error) {
	e.mu.Lock()
	e.loaded, e.phase, e.progress = nil, "swapping the model", 0
	e.mu.Unlock()
	model, on, err = e.open(next.open)
	if err == nil {
		next.done <- nil
		return next.open, model, on, nil
	}
	failure := fmt.Errorf("load another model: %w", err)
	e.cfg.Logger.Error("model_swap_failed", "error", err, "note", "the model that was loaded before is loaded again")
	if model, on, err = e.open(open); err != nil {
		err = fmt.Errorf("load the model again that was loaded before: %w", errors.Join(err, failure))
	}
	next.done <- errors.Join(failure, err)
	return open, model, on, err
}
