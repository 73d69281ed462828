package engine

import "context"

// device has work of others done by the thread that owns the device, between two steps.
type device struct {
	work   chan func()
	closed chan struct{} // closed when the thread takes no more of it
}

func newDevice() *device { return &device{work: make(chan func()), closed: make(chan struct{})} }

// run has f run and waits. After the end of the loop f does not run.
func (d *device) run(f func()) {
	_ = d.runWithin(context.Background(), f) // which never ends
}

// runWithin is run for those who wait for the thread no longer than ctx; then f does not run, and the error says why.
func (d *device) runWithin(ctx context.Context, f func()) error {
	done := make(chan struct{})
	select {
	case d.work <- func() { defer close(done); f() }:
		<-done
	case <-d.closed:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// serve does what is wanted now. The device's thread calls it.
func (d *device) serve() {
	for {
		select {
		case f := <-d.work:
			f()
		default:
			return
		}
	}
}

// serveUntil does what is wanted until done is closed. The device's thread calls it.
func (d *device) serveUntil(done <-chan struct{}) {
	for {
		select {
		case f := <-d.work:
			f()
		case <-done:
			return
		}
	}
}

// wake holds a token when the loop has something new to look at.
type wake chan struct{}

func (w wake) signal() {
	select {
	case w <- struct{}{}:
	default:
	}
}
