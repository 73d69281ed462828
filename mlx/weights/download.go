package weights

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"
)

const (
	maxFutileTries = 5
	maxRetryAfter  = 10 * time.Minute
)

// permanentError is an error that another try won't mend.
type permanentError struct{ error }

// Unwrap gives the error itself.
func (p permanentError) Unwrap() error { return p.error }

// retryLater is a refusal with the time after which the hub wants to be asked again.
type retryLater struct {
	error
	after time.Duration
}

// download brings one file into its part, in as many tries as bring it further.
type download struct {
	hub        Hub
	checkout   *checkout
	repository string
	name       string
	part       *os.File
	maxSize    int64 // the most bytes that the part ever had
	wasDamaged bool  // it was whole once, and not what the hub announced
}

func (d *download) run(ctx context.Context) error {
	for failures := 0; ; {
		err := d.try(ctx)
		if err == nil {
			return nil
		}
		if d.hasProgress() {
			failures = 0
		}
		failures++
		if final := d.finalError(ctx, err, failures); final != nil {
			return final
		}
		if err := d.hub.Pause(ctx, delay(err, failures)); err != nil {
			return err
		}
	}
}

// hasProgress tells whether the last try brought the part further than any before, and notes how far.
func (d *download) hasProgress() bool {
	size, err := d.part.Seek(0, io.SeekEnd)
	further := err == nil && size > d.maxSize
	d.maxSize = max(d.maxSize, size)
	return further
}

// finalError is the error to end with, or nil where another try may mend it.
func (d *download) finalError(ctx context.Context, err error, failures int) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.As(err, new(permanentError)) || errors.Is(err, errAbsent) {
		return err
	}
	if errors.Is(err, errDamaged) && d.wasDamaged {
		return fmt.Errorf("%w, twice; try again later, or name another hub in HF_ENDPOINT", err)
	}
	d.wasDamaged = d.wasDamaged || errors.Is(err, errDamaged)
	if failures >= maxFutileTries {
		return fmt.Errorf("%w; given up after %d tries that brought nothing new, start again to go on", err, failures)
	}
	var l retryLater
	if errors.As(err, &l) && l.after > maxRetryAfter {
		return fmt.Errorf("%w; it wants to be asked again in %s", err, l.after.Round(time.Second))
	}
	return nil
}

// delay is what the hub asked for, or a second that doubles with each failure.
func delay(err error, failures int) time.Duration {
	var l retryLater
	if errors.As(err, &l) && l.after > 0 {
		return l.after
	}
	return time.Second << (failures - 1)
}

// request returns the request for the bytes that are missing, and the offset at which they begin.
func (d *download) request(ctx context.Context) (*http.Request, int64, error) {
	have, err := d.truncateToResumable()
	if err != nil {
		return nil, 0, permanentError{err}
	}
	address := d.hub.Endpoint + "/" + d.repository + "/resolve/" + d.checkout.revision() + "/" + url.PathEscape(d.name)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, 0, permanentError{err}
	}
	request.Header.Set("Accept-Encoding", "identity") // sizes and digests are those of the file
	if d.hub.Token != "" {
		request.Header.Set("Authorization", "Bearer "+d.hub.Token)
	}
	if have > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
		if served := d.checkout.Parts[d.name].Served; served != "" {
			request.Header.Set("If-Range", served)
		}
	}
	return request, have, nil
}

// truncateToResumable cuts the part to what can be continued. Of a whole part the last byte is asked for
// again: a range behind the end is an error, and only an answer tells whether the hub still means the same
// contents.
func (d *download) truncateToResumable() (int64, error) {
	info, err := d.part.Stat()
	if err != nil {
		return 0, err
	}
	have, known := info.Size(), d.checkout.Parts[d.name]
	if known.ETag == "" {
		have = 0
	}
	if known.Size >= 0 {
		have = max(min(have, known.Size-1), 0)
	}
	return have, d.part.Truncate(have)
}

// restart empties the part and notes what it will hold, in this order: a part is never taken for what it is
// not.
func (d *download) restart(o origin) error {
	if err := d.part.Truncate(0); err != nil {
		return permanentError{err}
	}
	d.checkout.Parts[d.name] = o
	if err := d.checkout.save(); err != nil {
		return permanentError{err}
	}
	return nil
}

// statusError is nil for the answers that bring bytes.
func statusError(r *http.Response) error {
	switch code := r.StatusCode; {
	case code == http.StatusOK, code == http.StatusPartialContent:
		return nil
	case code == http.StatusNotFound:
		return errAbsent
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return permanentError{fmt.Errorf("the hub refuses access (%d); set HF_TOKEN for a private or gated repository, and check its name", code)}
	case code == http.StatusTooManyRequests, code == http.StatusServiceUnavailable:
		return retryLater{fmt.Errorf("the hub answered %d", code), retryAfter(r)}
	case code >= http.StatusInternalServerError, code == http.StatusRequestTimeout, code == http.StatusRequestedRangeNotSatisfiable:
		return fmt.Errorf("the hub answered %d", code)
	default:
		return permanentError{fmt.Errorf("the hub answered %d", code)}
	}
}

// retryAfter reads the header's two forms, seconds and a date.
func retryAfter(r *http.Response) time.Duration {
	value := r.Header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(r.Header.Get("Date")) // the hub's clock, not ours
	if err != nil {
		now = time.Now()
	}
	return max(at.Sub(now), 0)
}
