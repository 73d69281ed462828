package hub

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
)

// Choose tells which of a repository's files are wanted.
type Choose func(files []File) ([]File, error)

// reserve is what a pull leaves free on the volume.
const reserve = 64 << 20

// Pull brings the files that are chosen of a revision into the cache and returns the folder of its snapshot. The
// hub is asked which commit the revision is; files that are there already are not fetched again.
func (h *Hub) Pull(ctx context.Context, ref Reference, choose Choose) (string, error) {
	folder, err := h.pull(ctx, ref, choose)
	if err != nil {
		return "", fmt.Errorf("pull %s: %w", ref, err)
	}
	return folder, nil
}

func (h *Hub) pull(ctx context.Context, ref Reference, choose Choose) (string, error) {
	if h.Offline {
		return "", fmt.Errorf("not all of it is in %s, and HF_HUB_OFFLINE forbids asking the hub; unset it, or pull the model where there is a network and copy that folder", h.Cache)
	}
	l, err := h.list(ctx, ref)
	if err != nil {
		return "", err
	}
	wanted, err := choose(l.files)
	if err != nil {
		return "", err
	}
	release, err := h.hold(ref.Repository, true)
	if err != nil {
		return "", err
	}
	defer release()
	r, err := h.openRepository(ref)
	if err != nil {
		return "", err
	}
	p := &pulling{hub: h, ref: ref, repository: r, commit: l.commit}
	err = p.all(ctx, wanted)
	if err = errors.Join(err, r.root.Close()); err != nil {
		return "", err
	}
	return r.snapshot(l.commit), nil
}

// pulling is one pull under way.
type pulling struct {
	hub         *Hub
	ref         Reference
	repository  *repository
	commit      string
	done, total atomic.Int64
}

func (p *pulling) all(ctx context.Context, wanted []File) error {
	if err := p.checkSpace(wanted); err != nil {
		return err
	}
	for _, f := range wanted {
		if err := p.file(ctx, f); err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
	}
	return p.repository.writeRef(p.ref.Revision, p.commit)
}

// checkSpace counts what is missing, and refuses to begin what can't end.
func (p *pulling) checkSpace(wanted []File) error {
	missing, counted := int64(0), map[string]bool{}
	for _, f := range wanted {
		p.total.Add(f.Size)
		if !p.repository.hasBlob(f) && !counted[f.Digest] {
			counted[f.Digest] = true
			missing += max(f.Size-p.repository.allocated(f), 0)
		}
	}
	if missing == 0 {
		return nil
	}
	free, err := p.hub.Free(p.hub.Cache)
	if err != nil {
		return fmt.Errorf("ask how much is free in %s: %w", p.hub.Cache, err)
	}
	if free < missing+reserve {
		return fmt.Errorf("%.2f GB are still to be fetched and %.2f GB are free in %s; free some, or set HF_HUB_CACHE to a folder on a larger disk",
			float64(missing)/1e9, float64(free)/1e9, p.hub.Cache)
	}
	return nil
}

// file makes sure that the blob is there, and gives it its name in the snapshot.
func (p *pulling) file(ctx context.Context, f File) error {
	lock, err := p.lock(ctx, f)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }() // closing a file that was only locked
	if p.repository.hasBlob(f) {
		p.tell(f, f.Size)
	} else if err := p.fetch(ctx, f); err != nil {
		return err
	}
	return p.repository.link(p.commit, f)
}

// tell reports bytes that are there now.
func (p *pulling) tell(f File, more int64) {
	p.report(Progress{File: f.Path, Done: p.done.Add(more), Total: p.total.Load()})
}

func (p *pulling) report(at Progress) {
	p.hub.told.Lock()
	defer p.hub.told.Unlock()
	p.hub.Progress(at)
}
