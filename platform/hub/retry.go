package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	maxFutileTries = 5
	maxRetryAfter  = 10 * time.Minute
	// minProgress is how many bytes must arrive within Config.Stall, and in a try that counts as a step forward.
	minProgress = 16 << 10
)

var errStalled = errors.New("the hub sends nothing, or next to nothing")

// permanentError is an error that another try won't mend.
type permanentError struct{ error }

// Unwrap gives the error itself.
func (p permanentError) Unwrap() error { return p.error }

// retryLater is a refusal with the time after which the hub wants to be asked again.
type retryLater struct {
	error
	after time.Duration
}

// retry calls try until it succeeds, with growing pauses of random length, as long as it makes progress now and
// then.
func (h *Hub) retry(ctx context.Context, try func() (hasProgress bool, err error)) error {
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.Multiplier = time.Second, 2
	for failures := 0; ; {
		hasProgress, err := try()
		if err == nil {
			return nil
		}
		if hasProgress {
			failures = 0
			pauses.Reset()
		}
		failures++
		if final := finalError(ctx, err, failures); final != nil {
			return final
		}
		wait := pauses.NextBackOff()
		var l retryLater
		if errors.As(err, &l) && l.after > 0 {
			wait = l.after
		}
		if err := h.Pause(ctx, wait); err != nil {
			return err
		}
	}
}

// finalError is the error to end with, or nil where another try may mend it.
func finalError(ctx context.Context, err error, failures int) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.As(err, new(permanentError)) {
		return err
	}
	if failures >= maxFutileTries {
		return fmt.Errorf("%w; given up after %d tries that brought nothing new, start again to go on", err, failures)
	}
	var l retryLater
	if errors.As(err, &l) && l.after > maxRetryAfter {
		return fmt.Errorf("%w; it wants to be asked again in %s", err, l.after.Round(time.Second))
	}
	return nil
}

// watch gives a context that ends when nothing arrives for Config.Stall, a way to read that notes what arrives,
// and what is to be called in the end.
func (h *Hub) watch(parent context.Context) (ctx context.Context, watched func(io.Reader) io.Reader, end func()) {
	ctx, cancel := context.WithCancelCause(parent)
	timer := time.AfterFunc(h.Stall, func() { cancel(errStalled) })
	watched = func(r io.Reader) io.Reader {
		return &watchedReader{from: r, progress: func() { timer.Reset(h.Stall) }}
	}
	return ctx, watched, func() { timer.Stop(); cancel(nil) }
}

// watchedReader tells of each minProgress bytes.
type watchedReader struct {
	from     io.Reader
	unknown  int
	progress func()
}

// Read implements io.Reader.
func (w *watchedReader) Read(p []byte) (int, error) {
	n, err := w.from.Read(p)
	if w.unknown += n; w.unknown >= minProgress {
		w.unknown = 0
		w.progress()
	}
	return n, err
}

// stallError names the reason where a request was ended because nothing came.
func stallError(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errStalled) {
		return errStalled
	}
	return err
}
