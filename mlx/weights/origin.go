package weights

import (
	"crypto/sha1" //nolint:gosec // git names blobs by it
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
)

var commitName = regexp.MustCompile(`^[0-9a-f]{40}$`)

// errDamaged is a file that is not what the hub said of it.
var errDamaged = errors.New("what arrived is not what the hub announced")

// origin is what the hub tells of a file.
type origin struct {
	// ETag names the contents: the hub's own is the SHA-256 of a large file, and the SHA-1 of the git blob of
	// others.
	ETag   string `json:"etag"`
	Served string `json:"served"` // the strong ETag of the server that sends the bytes, for If-Range; or empty
	Size   int64  `json:"size"`   // -1 where nobody tells
}

// same tells whether two answers are about the same contents. Without an ETag nobody knows.
func (o origin) same(other origin) bool {
	return o.ETag != "" && o.ETag == other.ETag && (o.Size == other.Size || other.Size < 0)
}

// responseTrail collects what the answers on the way to a file's bytes tell of it: redirects of the hub tell
// most.
type responseTrail struct {
	host       string // the hub's; what others tell of the contents is no digest
	commit     string
	linkedETag string
	etag       string
	size       int64
}

func (t *responseTrail) add(r *http.Response) {
	if r.Request == nil || r.Request.URL.Host != t.host {
		return
	}
	if c := r.Header.Get("X-Repo-Commit"); commitName.MatchString(c) {
		t.commit = c
	}
	if e := r.Header.Get("X-Linked-Etag"); e != "" {
		t.linkedETag = e
	}
	if e := r.Header.Get("Etag"); e != "" {
		t.etag = e
	}
	if n, err := strconv.ParseInt(r.Header.Get("X-Linked-Size"), 10, 64); err == nil && n >= 0 {
		t.size = n
	}
}

// origin joins the trail with the answer that brings the bytes.
func (t *responseTrail) origin(r *http.Response) (origin, error) {
	o := origin{Size: t.size}
	for _, tag := range []string{t.linkedETag, t.etag, r.Header.Get("Etag")} {
		if o.ETag == "" {
			o.ETag = opaqueTag(tag)
		}
	}
	if served := r.Header.Get("Etag"); !strings.HasPrefix(served, "W/") {
		o.Served = served
	}
	size := wholeSize(r)
	if o.Size >= 0 && size >= 0 && size != o.Size {
		return o, fmt.Errorf("%w: it has %d bytes by one header and %d by another", errDamaged, o.Size, size)
	}
	o.Size = max(o.Size, size)
	return o, nil
}

func opaqueTag(etag string) string { return strings.Trim(strings.TrimPrefix(etag, "W/"), `"`) }

// wholeSize is how large the file is by the answer itself, or -1.
func wholeSize(r *http.Response) int64 {
	if r.StatusCode == http.StatusPartialContent {
		_, size := contentRange(r)
		return size
	}
	if r.StatusCode == http.StatusOK {
		return r.ContentLength
	}
	return -1
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

// digest is the hash whose sum the ETag is, over the prefix that goes before the contents; or nil.
func (o origin) digest(size int64) hash.Hash {
	if _, err := hex.DecodeString(o.ETag); err != nil {
		return nil
	}
	switch len(o.ETag) {
	case hex.EncodedLen(sha256.Size):
		return sha256.New()
	case hex.EncodedLen(sha1.Size):
		h := sha1.New() //nolint:gosec // git's
		fmt.Fprintf(h, "blob %d\x00", size)
		return h
	}
	return nil
}

// verify reads a whole file and holds it to what the hub told.
func (o origin) verify(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if o.Size >= 0 && info.Size() != o.Size {
		return fmt.Errorf("%w: %d bytes of %d", errDamaged, info.Size(), o.Size)
	}
	h := o.digest(info.Size())
	if h == nil {
		return nil
	}
	if _, err := io.Copy(h, io.NewSectionReader(f, 0, info.Size())); err != nil {
		return err
	}
	if sum := hex.EncodeToString(h.Sum(nil)); sum != strings.ToLower(o.ETag) {
		return fmt.Errorf("%w: its digest is %s and not %s", errDamaged, sum, o.ETag)
	}
	return nil
}
