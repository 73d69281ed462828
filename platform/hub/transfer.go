package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// errNoRanges is a server that sends whole files only.
var errNoRanges = errors.New("the hub sends whole files only")

// piece fetches what is missing of one piece, in as many tries as bring it further.
func (p *pulling) piece(ctx context.Context, b *pieces, i int) error {
	return p.hub.retry(ctx, func() (bool, error) {
		before, end := b.span(i)
		err := p.tryPiece(ctx, b, i)
		after, _ := b.span(i)
		return after-before >= minProgress || after == end, err
	})
}

// tryPiece asks once for the rest of a piece.
func (p *pulling) tryPiece(parent context.Context, b *pieces, i int) error {
	ctx, watched, end := p.hub.watch(parent)
	defer end()
	from, to := b.span(i)
	if from == to {
		return nil // what broke off had all of it
	}
	isWhole := from == 0 && to == b.of.Size
	bytes := ""
	if !isWhole {
		bytes = fmt.Sprintf("bytes=%d-%d", from, to-1)
	}
	response, err := p.request(ctx, b.of, bytes)
	if err != nil {
		return stallError(ctx, err)
	}
	defer func() { _ = response.Body.Close() }() // it was only read
	switch {
	case response.StatusCode == http.StatusOK && !isWhole:
		return errNoRanges
	case response.StatusCode == http.StatusPartialContent:
		if first, size := contentRange(response); first != from || size >= 0 && size != b.of.Size {
			return fmt.Errorf("asked for the bytes from %d of %d, the hub sent %q", from, b.of.Size, response.Header.Get("Content-Range"))
		}
	default:
		if err := checkLength(response, b.of); err != nil {
			return err
		}
	}
	if err := p.receive(watched(response.Body), b, i, to-from); err != nil {
		return stallError(ctx, err)
	}
	if isWhole {
		return checkEnd(response, b.of)
	}
	return nil
}

// request asks for bytes of a file, or for all of it, and checks whether the answer is about that file.
func (p *pulling) request(ctx context.Context, f File, bytes string) (*http.Response, error) {
	parts := strings.Split(f.Path, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	address := p.hub.Endpoint + "/" + p.ref.Repository + "/resolve/" + p.commit + "/" + strings.Join(parts, "/")
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, permanentError{err}
	}
	if bytes != "" {
		request.Header.Set("Range", bytes)
	}
	response, t, err := p.hub.ask(request)
	if err != nil {
		return nil, err
	}
	err = p.hub.statusError(response, p.ref)
	switch {
	case err != nil:
	case t.commit != "" && t.commit != p.commit:
		err = permanentError{fmt.Errorf("the hub sent revision %q where %s was asked for", t.commit, p.commit)}
	case t.size >= 0 && t.size != f.Size:
		err = permanentError{fmt.Errorf("%w: it has %d bytes by the list of files and %d by a header", errDamaged, f.Size, t.size)}
	}
	if err != nil {
		_ = response.Body.Close() // the first error tells
		return nil, err
	}
	return response, nil
}

// checkLength refuses a whole file of another length at once.
func checkLength(r *http.Response, f File) error {
	if r.ContentLength >= 0 && r.ContentLength != f.Size {
		return fmt.Errorf("the hub sends %d bytes where it announced %d", r.ContentLength, f.Size)
	}
	return nil
}

// checkEnd refuses a whole file that goes on behind its end.
func checkEnd(r *http.Response, f File) error {
	if n, _ := io.ReadFull(r.Body, make([]byte, 1)); n > 0 {
		return permanentError{fmt.Errorf("%w: more than its %d bytes", errDamaged, f.Size)}
	}
	return nil
}

// receive appends n bytes to a piece, and reads no further.
func (p *pulling) receive(body io.Reader, b *pieces, i int, n int64) error {
	buffer := make([]byte, 256<<10)
	for n > 0 {
		got, err := body.Read(buffer[:min(n, int64(len(buffer)))])
		if got > 0 {
			if werr := b.add(i, buffer[:got]); werr != nil {
				return werr
			}
			p.tell(b.of, int64(got))
			n -= int64(got)
		}
		if err != nil && n > 0 {
			return fmt.Errorf("broke off with %d bytes missing: %w", n, err)
		}
	}
	return nil
}

// fetchWhole fetches a file in one go, from a server that sends no ranges: what broke off is begun anew.
func (p *pulling) fetchWhole(ctx context.Context, b *pieces) error {
	p.tell(b.of, -b.received())
	b.begin(max(b.of.Size, 1))
	if err := b.rewrite(); err != nil {
		return err
	}
	return p.hub.retry(ctx, func() (bool, error) {
		err := p.tryPiece(ctx, b, 0)
		if err == nil {
			return true, nil
		}
		p.tell(b.of, -b.received())
		return false, errors.Join(err, b.reset())
	})
}

// contentRange reads "bytes FIRST-LAST/SIZE"; what it does not tell is -1.
func contentRange(r *http.Response) (first, size int64) {
	span, whole, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Content-Range"), "bytes "), "/")
	begin, _, _ := strings.Cut(span, "-")
	return number(begin), number(whole)
}

func number(s string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}
