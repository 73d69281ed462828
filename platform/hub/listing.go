package hub

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// listing is what a repository has at one commit.
type listing struct {
	commit string
	files  []File
}

// maxListing bounds what the hub may say of a repository.
const maxListing = 64 << 20

// list asks the hub what the revision has.
func (h *Hub) list(ctx context.Context, ref Reference) (l listing, err error) {
	address := h.Endpoint + "/api/models/" + ref.Repository + "/revision/" + url.PathEscape(ref.Revision) + "?blobs=true"
	err = h.retry(ctx, func() (bool, error) {
		l, err = h.tryList(ctx, ref, address)
		return false, err
	})
	if err != nil {
		return l, fmt.Errorf("ask %s what it has: %w", h.Endpoint, err)
	}
	return l, nil
}

func (h *Hub) tryList(parent context.Context, ref Reference, address string) (l listing, err error) {
	watched, still, end := h.watch(parent)
	defer end()
	request, err := http.NewRequestWithContext(watched, http.MethodGet, address, nil)
	if err != nil {
		return l, permanentError{err}
	}
	response, _, err := h.ask(request)
	if err != nil {
		return l, stallError(watched, err)
	}
	defer func() { _ = response.Body.Close() }() // it was only read
	if err := h.statusError(response, ref); err != nil {
		return l, err
	}
	raw, err := io.ReadAll(still(io.LimitReader(response.Body, maxListing+1)))
	if err != nil {
		return l, stallError(watched, fmt.Errorf("read the list of files: %w", err))
	}
	if len(raw) > maxListing {
		return l, permanentError{fmt.Errorf("the list of files is longer than %d bytes", maxListing)}
	}
	return readListing(raw)
}

// readListing takes the hub's description of a repository apart. What is wrong with it another try won't mend.
func readListing(raw []byte) (l listing, err error) {
	var told struct {
		Sha      string `json:"sha"`
		Siblings []struct {
			Name   string `json:"rfilename"`
			Size   *int64 `json:"size"`
			BlobID string `json:"blobId"`
			LFS    *struct {
				SHA256 string `json:"sha256"`
				OID    string `json:"oid"`
				Size   *int64 `json:"size"`
			} `json:"lfs"`
		} `json:"siblings"`
	}
	if err := json.Unmarshal(raw, &told); err != nil {
		return l, permanentError{fmt.Errorf("the hub's list of files is not what a hub says: %w; does HF_ENDPOINT name one?", err)}
	}
	if !commitName.MatchString(told.Sha) {
		return l, permanentError{errors.New("the hub tells no commit of the revision; does HF_ENDPOINT name a hub?")}
	}
	l.commit = told.Sha
	for _, s := range told.Siblings {
		f, size := File{Path: s.Name, Size: -1, Digest: s.BlobID}, s.Size
		if s.LFS != nil {
			f.Digest, size = strings.TrimPrefix(cmp.Or(s.LFS.SHA256, s.LFS.OID), "sha256:"), cmp.Or(s.LFS.Size, s.Size)
		}
		if size != nil {
			f.Size = *size
		}
		if err := f.check(); err != nil {
			return l, permanentError{err}
		}
		l.files = append(l.files, f)
	}
	return l, nil
}
