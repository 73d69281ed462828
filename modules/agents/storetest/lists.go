package storetest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/modules/agents"
)

func lists(t *testing.T, open func() agents.Store) {
	s := open()
	defer s.Close()
	const many = 500
	for i := range many {
		r := record(fmt.Sprintf("%c%03d%%_", 'a'+i%2, i), chain(1, byte(i)))
		r.Tenant = fmt.Sprint("t", i%3)
		r.Used = time.Unix(int64(i+1), 0).UTC()
		put(t, s, r)
	}
	for what, c := range map[string]struct {
		agents.Filter
		want int
	}{
		"all":         {agents.Filter{}, many},
		"a tenant":    {agents.Filter{Tenant: "t1"}, 167},
		"a prefix":    {agents.Filter{Prefix: "b"}, 250},
		"no pattern":  {agents.Filter{Prefix: "%"}, 0},
		"used before": {agents.Filter{UsedBefore: time.Unix(11, 0)}, 10},
		"used after":  {agents.Filter{UsedAfter: time.Unix(490, 0)}, 10},
	} {
		seen := listAll(t, s, what, c.Filter)
		if len(seen) != c.want {
			t.Errorf("%s: %d records, want %d", what, len(seen), c.want)
		}
	}
}

// listAll lists the records that a filter matches, page by page.
func listAll(t *testing.T, s agents.Store, what string, f agents.Filter) map[string]bool {
	t.Helper()
	seen := map[string]bool{}
	for f.Limit = 7; ; {
		page, next, err := s.List(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page {
			if seen[r.Tenant+"/"+r.ID] || len(r.Heads) != 1 {
				t.Fatalf("%s: %s twice or without its head", what, r.ID)
			}
			seen[r.Tenant+"/"+r.ID] = true
		}
		if next == (agents.Cursor{}) {
			return seen
		}
		f.After = next
	}
}

// listsUnderChange deletes and adds records between the pages. Who is there all the time is listed, and
// nobody twice.
func listsUnderChange(t *testing.T, open func() agents.Store) {
	s := open()
	defer s.Close()
	for i := range 40 {
		put(t, s, record(fmt.Sprintf("stays%02d", i)))
		put(t, s, record(fmt.Sprintf("goes%02d", i)))
		put(t, s, record(fmt.Sprintf("stays%02d-goes", i)))
	}
	seen := map[string]bool{}
	for f, round := (agents.Filter{Limit: 3}), 0; ; round++ {
		page, next, err := s.List(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page {
			if seen[r.ID] {
				t.Errorf("%s twice", r.ID)
			}
			seen[r.ID] = true
		}
		if next == (agents.Cursor{}) {
			break
		}
		f.After = next
		removeEach(t, s, fmt.Sprintf("goes%02d", 40-round%40), fmt.Sprintf("stays%02d-goes", round%40), next.ID)
		put(t, s, record(fmt.Sprintf("comes%02d", round)))
		put(t, s, record(fmt.Sprintf("stays%02d", round%40), chain(0, byte(round+1))))
	}
	for i := range 40 {
		if id := fmt.Sprintf("stays%02d", i); !seen[id] {
			t.Errorf("%s was not listed", id)
		}
	}
}

// removeEach deletes records that need not stay, if they are there.
func removeEach(t *testing.T, s agents.Store, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if !strings.Contains(id, "goes") {
			continue
		}
		if _, err := s.Delete(t.Context(), newDeletion(rand.Text(), id)); err != nil && !errors.Is(err, agents.ErrNotFound) {
			t.Fatal(err)
		}
	}
}
