package cache

import (
	"sync"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// What was fetched is written when nothing is being fetched any more; what else is to be written passes it. A fetch
// that takes long holds it up for a while only.
func TestFetchedFilesGiveWayToFetches(t *testing.T) {
	now := time.Unix(1000, 0)
	cfg := &Config{Clock: func() time.Time { return now }}
	mu := &sync.Mutex{}
	flights := newFlights(cfg, mu, newDeletions())
	q := &queue{cfg: cfg, mu: mu, changed: flights.landed, deletes: flights.deletes, flights: flights, jobs: map[place]*job{}}
	entry := func(key byte) kv.Entry { return kv.Entry{Ref: kv.Ref{Key: kv.Key{key}}} }

	flight := flights.begin(&Flight{Found: Found{Ref: entry(1).Ref}, done: make(chan struct{})})
	q.add(&job{Entry: entry(2), file: []byte("fetched")})
	q.add(&job{Entry: entry(3)})
	if j := q.next(); j.Key != entry(3).Key {
		t.Errorf("while a block was being fetched %v was written first", j.Key)
	}
	began := make(chan *job)
	go func() { began <- q.next() }()
	flights.end(flight)
	if j := <-began; j.Key != entry(2).Key {
		t.Errorf("after the fetch %v was written", j.Key)
	}

	flights.begin(&Flight{Found: Found{Ref: entry(4).Ref}, done: make(chan struct{})})
	q.add(&job{Entry: entry(5), file: []byte("fetched")})
	go func() { began <- q.next() }()
	mu.Lock()
	now = now.Add(yieldFor + 1)
	mu.Unlock()
	q.look()
	if j := <-began; j.Key != entry(5).Key {
		t.Errorf("beside a fetch that takes long %v was written", j.Key)
	}
}
