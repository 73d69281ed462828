package weights

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// minProgress is how many bytes must arrive within Hub.Stall.
const minProgress = 16 << 10

var errStalled = errors.New("the hub sends nothing, or next to nothing")

// try asks once for what is missing of the file and ends with the whole of it, verified, or with an error.
func (d *download) try(parent context.Context) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	timer := time.AfterFunc(d.hub.Stall, func() { cancel(errStalled) })
	defer timer.Stop()
	request, have, err := d.request(ctx)
	if err != nil {
		return err
	}
	response, t, err := d.ask(request)
	if err != nil {
		return stallError(ctx, err)
	}
	defer response.Body.Close()
	o, have, err := d.accept(response, t, have)
	if err != nil {
		return err
	}
	if err := d.receive(response, have, o.Size, func() { timer.Reset(d.hub.Stall) }); err != nil {
		return stallError(ctx, err)
	}
	timer.Stop() // the rest is up to this machine's disk
	return d.finish(o)
}

// stallError names the reason where a request was ended because nothing came.
func stallError(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errStalled) {
		return errStalled
	}
	return err
}

// ask sends the request and follows redirects, of which it remembers what they tell of the file.
func (d *download) ask(request *http.Request) (*http.Response, *responseTrail, error) {
	t := &responseTrail{host: request.URL.Host, size: -1}
	client := *d.hub.Client
	client.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		t.add(next.Response)
		return checkRedirect(next, via)
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, nil, withoutSignature(err)
	}
	t.add(response)
	return response, t, nil
}

// withoutSignature returns a client's error without the query of the address, which may be a signature that
// opens a file to everybody.
func withoutSignature(err error) error {
	var failed *url.Error
	if !errors.As(err, &failed) {
		return err
	}
	at, perr := url.Parse(failed.URL)
	if perr != nil {
		return failed.Err
	}
	return fmt.Errorf("%s: %w", withoutQuery(at), failed.Err)
}

// checkRedirect refuses redirects that leave encryption, and keeps the token from other servers.
func checkRedirect(next *http.Request, via []*http.Request) error {
	if len(via) >= 10 {
		return permanentError{errors.New("the hub redirects in a circle")}
	}
	first := via[0].URL
	if first.Scheme == "https" && next.URL.Scheme != "https" {
		return permanentError{fmt.Errorf("the hub redirects to %s, which is not encrypted", withoutQuery(next.URL))}
	}
	if first.Scheme != next.URL.Scheme || first.Host != next.URL.Host {
		next.Header.Del("Authorization")
	}
	return nil
}

// withoutQuery is an address without its query, which may hold a signature.
func withoutQuery(u *url.URL) string { return u.Scheme + "://" + u.Host + u.Path }

// accept decides by an answer's head where its bytes belong: behind those that are there, or in an empty
// part.
func (d *download) accept(r *http.Response, t *responseTrail, have int64) (o origin, at int64, err error) {
	if r.StatusCode == http.StatusRequestedRangeNotSatisfiable && have > 0 {
		return o, 0, errors.Join(errors.New("the hub has no such range"), d.restart(origin{}))
	}
	if err := statusError(r); err != nil {
		return o, 0, err
	}
	if e := r.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return o, 0, permanentError{fmt.Errorf("the hub sends it encoded as %q, which was not asked for", e)}
	}
	if err := d.checkout.pin(t.commit); err != nil {
		return o, 0, err
	}
	if o, err = t.origin(r); err != nil {
		return o, 0, errors.Join(err, d.restart(origin{}))
	}
	if r.StatusCode == http.StatusOK {
		return o, 0, d.restart(o)
	}
	first, _ := contentRange(r)
	if known := d.checkout.Parts[d.name]; have == 0 || first != have || !known.same(o) {
		return o, 0, errors.Join(errors.New("the hub sent a part of something else"), d.restart(origin{}))
	}
	return d.checkout.Parts[d.name], have, nil
}

// receive appends the answer's body to the part, up to the size that was announced. Progress is told for each
// leastProgress bytes.
func (d *download) receive(r *http.Response, have, size int64, progress func()) error {
	if _, err := d.part.Seek(have, io.SeekStart); err != nil {
		return permanentError{err}
	}
	buffer, unreported := make([]byte, 256<<10), 0
	for {
		n, err := r.Body.Read(buffer)
		if _, werr := d.part.Write(buffer[:n]); werr != nil {
			return permanentError{werr}
		}
		have, unreported = have+int64(n), unreported+n
		if unreported >= minProgress {
			progress()
			unreported = 0
		}
		if size > 0 {
			d.hub.Progress(d.name, min(float64(have)/float64(size), 1))
		}
		if err != nil || size >= 0 && have > size {
			return d.checkEnd(r, err, have, size)
		}
	}
}

// checkEnd returns an error if a body's end is not the file's.
func (d *download) checkEnd(r *http.Response, err error, have, size int64) error {
	hasLength := r.ContentLength >= 0 || len(r.TransferEncoding) > 0 || r.ProtoMajor >= 2
	switch {
	case size >= 0 && have > size:
		return errors.Join(fmt.Errorf("%w: more than its %d bytes", errDamaged, size), d.restart(origin{}))
	case !errors.Is(err, io.EOF), size >= 0 && have < size, size < 0 && !hasLength:
		return fmt.Errorf("broke off after %d bytes: %w", have, err)
	}
	return nil
}

// finish holds the whole part to what was announced and brings it to the disk.
func (d *download) finish(o origin) error {
	if err := o.verify(d.part); err != nil {
		return errors.Join(err, d.restart(origin{}))
	}
	if err := d.part.Sync(); err != nil {
		return permanentError{err}
	}
	return nil
}
