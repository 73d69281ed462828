// Package storetest is what every store of operators' actions must pass.
package storetest

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/modules/actions"
)

// Run tests stores. Each call of open with the same place opens what was stored there before.
func Run(t *testing.T, open func(t *testing.T, place string) actions.Store) {
	for name, test := range map[string]func(*testing.T, func() actions.Store){
		"ListsTheLatestFirst":    lists,
		"StoringTwiceIsOnce":     storesTwice,
		"ForgetsWhatIsOld":       forgets,
		"HoldsWhatClientsCanDo":  strange,
		"NothingIsStoredOfNone":  none,
		"KeepsActionsWhenReopen": reopens,
	} {
		t.Run(name, func(t *testing.T) {
			place := t.TempDir()
			test(t, func() actions.Store { return open(t, place) })
		})
	}
}

func action(n int) actions.Action {
	return actions.Action{
		ID: fmt.Sprintf("%03d", n), At: time.Unix(int64(n), 5).UTC(), Key: "key", Method: "DELETE", Path: fmt.Sprint("/admin/", n), Status: 200 + n, RequestID: "req",
	}
}

func add(t *testing.T, s actions.Store, all ...actions.Action) {
	t.Helper()
	if err := s.Add(t.Context(), all); err != nil {
		t.Fatal(err)
	}
}

// want checks which actions there are before an id.
func want(t *testing.T, s actions.Store, before string, limit int, all ...actions.Action) {
	t.Helper()
	got, err := s.List(t.Context(), before, limit)
	if err != nil || len(got)+len(all) > 0 && !reflect.DeepEqual(got, all) {
		t.Errorf("before %q: %+v, %v, want %+v", before, got, err, all)
	}
}

func lists(t *testing.T, open func() actions.Store) {
	s := open()
	add(t, s, action(2), action(1))
	add(t, s, action(3))
	want(t, s, "", 2, action(3), action(2))
	want(t, s, "002", 2, action(1))
	want(t, s, "001", 2)
}

func reopens(t *testing.T, open func() actions.Store) {
	add(t, open(), action(1))
	want(t, open(), "", 9, action(1))
}

func storesTwice(t *testing.T, open func() actions.Store) {
	s := open()
	add(t, s, action(1))
	add(t, s, action(1), action(2))
	want(t, s, "", 9, action(2), action(1))
}

func forgets(t *testing.T, open func() actions.Store) {
	s := open()
	add(t, s, action(1), action(2), action(3))
	if err := s.Forget(t.Context(), action(2).At); err != nil {
		t.Fatal(err)
	}
	want(t, s, "", 9, action(3), action(2))
}

func strange(t *testing.T, open func() actions.Store) {
	s, a := open(), action(1)
	a.Path, a.Key = "/admin/agents/ü/'%", ""
	add(t, s, a)
	want(t, s, "", 9, a)
	b := action(2)
	b.Path = "/admin/\x00\xff"
	add(t, s, b)
	if got, err := s.List(t.Context(), "\x00\xff", 9); err != nil || len(got) > 2 {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := s.List(t.Context(), "", 1); err != nil || len(got) != 1 || got[0].ID != b.ID {
		t.Errorf("%+v, %v", got, err)
	}
}

func none(t *testing.T, open func() actions.Store) {
	s := open()
	add(t, s)
	want(t, s, "", 9)
}
