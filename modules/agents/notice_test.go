package agents_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/modules/agents"
)

// elsewhere is a store in which another node deleted an agent: until this node takes notice it changes nothing of it.
type elsewhere struct {
	agents.Store
	mu       sync.Mutex
	deletion agents.Deletion
	refused  chan struct{} // closed when a change of the agent was refused
	once     sync.Once
	made     chan struct{} // of a record of the agent, each
}

func (s *elsewhere) Put(ctx context.Context, c agents.Change) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.Record.ID == s.deletion.ID {
		if !s.deletion.Noticed {
			s.once.Do(func() { close(s.refused) })
			return 0, agents.ErrUnnoticed
		}
		s.made <- struct{}{}
	}
	return s.Store.Put(ctx, c)
}

func (s *elsewhere) Pending(ctx context.Context, _ time.Time) ([]agents.Deletion, error) {
	select { // the news arrives while the agent's last use can't be written
	case <-s.refused:
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.deletion.Ended.IsZero() {
		return nil, nil
	}
	return []agents.Deletion{s.deletion}, nil
}

func (s *elsewhere) Notice(_ context.Context, _ string, further []kv.Chain) error {
	s.mu.Lock()
	s.deletion.Noticed, s.deletion.Chains = true, further
	s.mu.Unlock()
	for began := time.Now(); len(s.made) == 0 && time.Since(began) < 10*time.Millisecond; { // who writes the record now has the time to
		time.Sleep(time.Millisecond)
	}
	return nil
}

func (s *elsewhere) Progress(_ context.Context, d agents.Deletion) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deletion = d
	return nil
}

func (s *elsewhere) Deletion(context.Context, string) (agents.Deletion, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.deletion, nil
}

// A node has a use of an agent that it has not written when another node deletes the agent. The use goes with the
// agent, however often the node tries to write it meanwhile: no record is made that would own its blocks.
func TestAUseOfBeforeADeletionElsewhereMakesNoRecord(t *testing.T) {
	for range 5 {
		memory := &tiers{removed: map[kv.Key]bool{}}
		store := &elsewhere{refused: make(chan struct{}), made: make(chan struct{}, 10), deletion: agents.Deletion{Operation: "op", Tenant: "t", ID: "doomed"}}
		open := opener(t, filepath.Join(t.TempDir(), "records.db"))
		r, end := run(t, agents.Settings{
			Open: func(ctx context.Context) (_ agents.Store, err error) {
				store.Store, err = open(ctx)
				return store, err
			},
			Memory: memory, Secret: []byte("secret"), Retry: time.Millisecond,
		})
		r.Note("t", "doomed", agents.Use{Chain: chain(1, 2), At: at(10)})
		reading, stop := context.WithCancel(t.Context())
		var reader sync.WaitGroup
		reader.Go(func() {
			for reading.Err() == nil { // whoever reads an agent has it written before
				_, _ = r.Written(reading, "t", "doomed")
			}
		})
		await(t, r, "op", func(d agents.Deletion) bool { return !d.Ended.IsZero() })
		stop()
		reader.Wait()
		if _, err := r.Get(t.Context(), "t", "doomed"); !errors.Is(err, agents.ErrNotFound) {
			t.Errorf("the agent is there again: %v", err)
		}
		r.Note("t", "doomed", agents.Use{Chain: chain(3), At: at(11)})
		if _, err := r.Written(t.Context(), "t", "doomed"); err != nil {
			t.Errorf("a new beginning: %v", err)
		}
		end()
		if len(store.made) != 1 || !memory.removed[kv.Key{1}] || !memory.removed[kv.Key{2}] || memory.removed[kv.Key{3}] {
			t.Errorf("%d records were made, removed %v", len(store.made), memory.removed)
		}
	}
}
