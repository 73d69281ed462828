package tiertest

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// Shelf is a tier in memory that can only do what every tier can, like a bucket. A test makes it slow, failing, refusing
// or lying. It also counts what it is asked.
type Shelf struct {
	Title string

	mu          sync.Mutex
	files       map[kv.Key]shelved
	gets, puts  int
	quarantined []kv.Ref
	failing     error
	refused     map[kv.Key]bool
	unhealthy   string
	gate        chan struct{} // while it is not nil and open, every Put waits
}

type shelved struct {
	kv.Ref
	data []byte
}

var (
	_ kv.Tier        = (*Shelf)(nil)
	_ kv.Quarantiner = (*Shelf)(nil)
)

// NewShelf returns an empty tier of that name.
func NewShelf(title string) *Shelf {
	return &Shelf{Title: title, files: map[kv.Key]shelved{}, refused: map[kv.Key]bool{}}
}

// Name implements kv.Tier.
func (s *Shelf) Name() string { return s.Title }

// Lookup implements kv.Tier.
func (s *Shelf) Lookup(ctx context.Context, refs []kv.Ref) ([]kv.Copy, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := make([]kv.Copy, len(refs))
	for i, ref := range refs {
		if file, there := s.files[ref.Key]; there && file.Space == ref.Space {
			found[i].Bytes = int64(len(file.data))
		}
	}
	return found, nil
}

// Get implements kv.Tier.
func (s *Shelf) Get(ctx context.Context, ref kv.Ref, buf []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gets++
	if s.failing != nil {
		return nil, s.failing
	}
	if file, there := s.files[ref.Key]; there && file.Space == ref.Space {
		return append(buf[:0], file.data...), nil
	}
	return nil, kv.ErrNotFound
}

// Put implements kv.Tier.
func (s *Shelf) Put(ctx context.Context, e kv.Entry, data []byte) error {
	s.mu.Lock()
	gate := s.gate
	s.puts++
	s.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.failing != nil:
		return s.failing
	case s.refused[e.Key]:
		return kv.ErrRefused
	}
	if _, there := s.files[e.Key]; !there {
		s.files[e.Key] = shelved{e.Ref, slices.Clone(data)}
	}
	return nil
}

// Delete implements kv.Tier.
func (s *Shelf) Delete(_ context.Context, ref kv.Ref) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.files[ref.Key].Space == ref.Space {
		delete(s.files, ref.Key)
	}
	return nil
}

// Wipe implements kv.Wiper.
func (s *Shelf) Wipe(_ context.Context, salt kv.SaltID, _ time.Time) (moved kv.Moved, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, file := range s.files {
		if file.Salt == salt {
			delete(s.files, key)
			moved.Add(int64(len(file.data)))
		}
	}
	return moved, nil
}

// Quarantine implements kv.Quarantiner.
func (s *Shelf) Quarantine(ctx context.Context, ref kv.Ref, _ error) error {
	s.mu.Lock()
	s.quarantined = append(s.quarantined, ref)
	s.mu.Unlock()
	return s.Delete(ctx, ref)
}

// Quarantined implements kv.Quarantiner.
func (s *Shelf) Quarantined(ref kv.Ref) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.quarantined, ref)
}

// Status implements kv.Tier.
func (s *Shelf) Status() kv.TierStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return kv.TierStatus{Name: s.Title, Healthy: s.unhealthy == "", Problem: s.unhealthy}
}

// Fail has every read and write fail, until it is called with nil.
func (s *Shelf) Fail(err error) { s.with(func() { s.failing = err }) }

// Refuse has a block's stores refused.
func (s *Shelf) Refuse(k kv.Key) { s.with(func() { s.refused[k] = true }) }

// Sicken makes the tier unhealthy, or healthy with an empty problem.
func (s *Shelf) Sicken(problem string) { s.with(func() { s.unhealthy = problem }) }

// Hang has every Put wait until the returned function is called.
func (s *Shelf) Hang() (release func()) {
	gate := make(chan struct{})
	s.with(func() { s.gate = gate })
	return sync.OnceFunc(func() {
		s.with(func() { s.gate = nil })
		close(gate)
	})
}

// Lose forgets a block that the tier said it had.
func (s *Shelf) Lose(k kv.Key) { s.with(func() { delete(s.files, k) }) }

// Change replaces a block's bytes.
func (s *Shelf) Change(k kv.Key, data []byte) {
	s.with(func() {
		file := s.files[k]
		file.data = data
		s.files[k] = file
	})
}

// Data is what the tier has of a block, or nil.
func (s *Shelf) Data(k kv.Key) (data []byte) {
	s.with(func() { data = s.files[k].data })
	return data
}

// Keys are those of all blocks.
func (s *Shelf) Keys() (keys []kv.Key) {
	s.with(func() { keys = slices.Collect(maps.Keys(s.files)) })
	return keys
}

// Gets is how often a block was read.
func (s *Shelf) Gets() (n int) { s.with(func() { n = s.gets }); return n }

// Puts is how often a block was to be stored.
func (s *Shelf) Puts() (n int) { s.with(func() { n = s.puts }); return n }

// Damaged is how many blocks were put aside.
func (s *Shelf) Damaged() (n int) { s.with(func() { n = len(s.quarantined) }); return n }

func (s *Shelf) with(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
}

// Within tells whether something comes true within the given time.
func Within(limit time.Duration, isSo func() bool) bool {
	for began := time.Now(); !isSo(); time.Sleep(time.Millisecond) {
		if time.Since(began) > limit {
			return isSo()
		}
	}
	return true
}
