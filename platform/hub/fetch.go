package hub

import (
	"context"
	"crypto/sha1" //nolint:gosec // git names blobs by it
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/agent-memory/agent-memory/platform/vfs"
)

// errDamaged is a file that is not what the hub said of it.
var errDamaged = errors.New("what arrived is not what the hub announced")

// fetch brings a blob into the cache. It gets its name once size and digest are right; a download that ends with
// another digest is begun anew, once.
func (p *pulling) fetch(ctx context.Context, f File) error {
	err := p.fetchOnce(ctx, f)
	if errors.Is(err, errDamaged) && ctx.Err() == nil {
		err = p.fetchOnce(ctx, f)
		if errors.Is(err, errDamaged) {
			err = fmt.Errorf("%w, twice; try again later, or name another hub in HF_ENDPOINT", err)
		}
	}
	return err
}

func (p *pulling) fetchOnce(ctx context.Context, f File) (err error) {
	b, err := p.repository.openPieces(f, p.hub.PieceBytes)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	had := b.received()
	p.tell(f, had)
	err = p.fetchPieces(ctx, b)
	if errors.Is(err, errNoRanges) {
		err = p.fetchWhole(ctx, b)
	}
	if err == nil {
		err = b.verify()
	}
	if errors.Is(err, errDamaged) {
		p.tell(f, -b.received())
		return errors.Join(err, b.reset())
	}
	if err != nil {
		return err
	}
	return p.repository.keep(b)
}

// fetchPieces fetches what is missing, some pieces side by side. The first error ends all.
func (p *pulling) fetchPieces(parent context.Context, b *pieces) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	missing := b.missing()
	queue := make(chan int, len(missing))
	for _, i := range missing {
		queue <- i
	}
	close(queue)
	var workers sync.WaitGroup
	for range min(p.hub.Workers, len(missing)) {
		workers.Go(func() {
			for i := range queue {
				if ctx.Err() != nil {
					return
				}
				if err := p.piece(ctx, b, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	workers.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// keep gives a verified download its name.
func (r *repository) keep(b *pieces) error {
	if err := b.file.Sync(); err != nil {
		return err
	}
	if err := r.root.Rename(b.name+piecesSuffix, b.name); err != nil {
		return err
	}
	if err := r.root.Remove(b.name + journalSuffix); err != nil {
		return err
	}
	return vfs.OS{}.SyncDir(filepath.Join(r.folder, "blobs"))
}

// verify reads a whole file and holds it to its digest.
func (b *pieces) verify() error {
	h := b.of.hash()
	if _, err := io.Copy(h, io.NewSectionReader(b.file, 0, b.of.Size)); err != nil {
		return err
	}
	if sum := hex.EncodeToString(h.Sum(nil)); sum != b.of.Digest {
		return fmt.Errorf("%w: its digest is %s and not %s", errDamaged, sum, b.of.Digest)
	}
	return nil
}

// hash is what the digest is the sum of.
func (f File) hash() hash.Hash {
	if len(f.Digest) == hex.EncodedLen(sha256.Size) {
		return sha256.New()
	}
	h := sha1.New() //nolint:gosec // git's
	fmt.Fprintf(h, "blob %d\x00", f.Size)
	return h
}

// close gives the files back; what they hold stays for the next try.
func (b *pieces) close() error {
	return errors.Join(ignoreClosed(b.file.Close()), ignoreClosed(b.journal.Close()))
}

func ignoreClosed(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}
