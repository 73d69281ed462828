// Package objecttest has a bucket in memory, for tests of what stands on one.
package objecttest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/agent-memory/agent-memory/platform/objectstore"
)

// Bucket is a bucket in memory that counts what it is asked, and fails or changes objects on request.
type Bucket struct {
	mu      sync.Mutex
	objects map[string][]byte
	stored  map[string]time.Time
	clock   func() time.Time
	asked   map[string]int
	failing error
}

// New returns an empty bucket.
func New() *Bucket { return NewAt(time.Now) }

// NewAt is New with a clock, which tells when objects are stored.
func NewAt(clock func() time.Time) *Bucket {
	return &Bucket{objects: map[string][]byte{}, stored: map[string]time.Time{}, clock: clock, asked: map[string]int{}}
}

// ask counts a request and does it, unless the bucket fails.
func (s *Bucket) ask(ctx context.Context, what string, do func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked[what]++
	if s.failing != nil {
		return s.failing
	}
	return do()
}

func (s *Bucket) get(key string, data *[]byte) func() error {
	return func() error {
		found, there := s.objects[key]
		if !there {
			return fmt.Errorf("read %s: %w", key, objectstore.ErrNotFound)
		}
		*data = found
		return nil
	}
}

// Put implements object.Bucket.
func (s *Bucket) Put(ctx context.Context, key string, data []byte) (stored bool, err error) {
	err = s.ask(ctx, "put", func() error {
		if _, there := s.objects[key]; !there {
			s.objects[key], s.stored[key], stored = slices.Clone(data), s.clock(), true
		}
		return nil
	})
	return stored, err
}

// Replace implements object.Bucket.
func (s *Bucket) Replace(ctx context.Context, key string, data []byte) error {
	return s.ask(ctx, "replace", func() error { s.objects[key] = slices.Clone(data); return nil })
}

// Get implements object.Bucket.
func (s *Bucket) Get(ctx context.Context, key string, buf []byte) (data []byte, err error) {
	err = s.ask(ctx, "get", s.get(key, &data))
	return append(buf[:0], data...), err
}

// GetStart implements object.Bucket.
func (s *Bucket) GetStart(ctx context.Context, key string, most int) (start []byte, size int64, err error) {
	err = s.ask(ctx, "start", s.get(key, &start))
	return start[:min(most, len(start))], int64(len(start)), err
}

// List implements object.Bucket.
func (s *Bucket) List(ctx context.Context, prefix, after string, most int) (page []objectstore.Object, err error) {
	err = s.ask(ctx, "list", func() error {
		for _, key := range slices.Sorted(maps.Keys(s.objects)) {
			if strings.HasPrefix(key, prefix) && key > after && len(page) < most {
				page = append(page, objectstore.Object{Key: key, Size: int64(len(s.objects[key])), Modified: s.stored[key]})
			}
		}
		return nil
	})
	return page, err
}

// Delete implements object.Bucket.
func (s *Bucket) Delete(ctx context.Context, key string) error {
	return s.ask(ctx, "delete", func() error { delete(s.objects, key); return nil })
}

// Fail has every request fail, until it is called with nil.
func (s *Bucket) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failing = err
}

// Requests is how many requests of the kinds were made since it was called last.
func (s *Bucket) Requests(kinds ...string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, kind := range kinds {
		n += s.asked[kind]
	}
	clear(s.asked)
	return n
}

// Change replaces every object by what f makes of it.
func (s *Bucket) Change(f func([]byte) []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, data := range s.objects {
		s.objects[key] = f(slices.Clone(data))
	}
}

// Keys are the names of all objects.
func (s *Bucket) Keys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.objects))
}

// Set puts an object there, whatever is there.
func (s *Bucket) Set(key string, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[key], s.stored[key] = data, s.clock()
}

// Empty removes all objects.
func (s *Bucket) Empty() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.objects)
}
