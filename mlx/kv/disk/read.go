package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/platform/vfs"
)

// Lookup implements kv.Tier from memory. While the folder is still being indexed it looks at the disk for expected
// blocks that it doesn't know yet, up to the first that isn't there.
func (t *Tier) Lookup(ctx context.Context, q kv.Query) ([][]kv.Entry, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("look up blocks: %w", err)
	}
	if !isClosed(t.indexed) {
		t.lookAhead(ctx, q)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	found := t.index.Lookup(q)
	for _, entries := range found {
		for i := range entries {
			entries[i].Used = t.index.Get(q.Space, entries[i].Key).Value.used
		}
	}
	return found, nil
}

// lookAhead takes expected blocks into the index before their turn has come.
func (t *Tier) lookAhead(ctx context.Context, q kv.Query) {
	for _, key := range q.Keys {
		if ctx.Err() != nil || !t.known(q.Space, key) && !t.adopt(ctx, fullPath(q.Space, key)) {
			return
		}
	}
}

func fullPath(s kv.Space, k kv.Key) string {
	return kv.Entry{Space: s, Key: k, Tags: make([]kv.Tag, kv.BlockTokens)}.Path()
}

func (t *Tier) known(s kv.Space, k kv.Key) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.index.Get(s, k) != nil
}

// Read implements kv.Tier. It finds a block by its path, in the index or not.
func (t *Tier) Read(ctx context.Context, e kv.Entry, buf []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("read block %s: %w", e.Key, err)
	}
	pinned := t.pin(e.Space, e.Key)
	defer t.unpin(pinned)
	data, err := t.load(e.Path(), buf)
	if errors.Is(err, fs.ErrNotExist) {
		t.lose(pinned)
		return nil, fmt.Errorf("read block %s: %w", e.Key, kv.ErrNotFound)
	}
	if err != nil {
		return nil, t.fail("read block "+e.Key.String(), 0, err)
	}
	return data, nil
}

// load reads a whole file.
func (t *Tier) load(rel string, buf []byte) ([]byte, error) {
	f, size, err := t.openFile(rel)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	buf = slices.Grow(buf[:0], int(size))[:size]
	if n, err := f.ReadAt(buf, 0); n < len(buf) {
		return nil, fmt.Errorf("%d of %d bytes: %w", n, size, orTruncated(err))
	}
	return buf, nil
}

// openFile opens a file and tells its size.
func (t *Tier) openFile(rel string) (vfs.File, int64, error) {
	f, err := t.cfg.FS.Open(t.at(rel))
	if err != nil {
		return nil, 0, err
	}
	size, err := f.Size()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, size, nil
}

func orTruncated(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// lose forgets a block whose file somebody else deleted.
func (t *Tier) lose(b *block) {
	if b == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.index.Get(b.Space, b.Key) == b && t.claims[b.Value.path] == nil {
		t.index.Remove(b.Space, b.Key)
		t.ledger.used -= b.Value.physical
	}
}
