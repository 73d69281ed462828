//go:build postgres

package pgstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/modules/agents"
	"github.com/agent-memory/agent-memory/modules/agents/pgstore"
	"github.com/agent-memory/agent-memory/platform/database/pgtest"
)

func chain(keys ...byte) (c kv.Chain) {
	for _, key := range keys {
		c.Keys = append(c.Keys, kv.Key{key})
	}
	c.Tokens = len(keys) * kv.BlockTokens
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// beating opens a database for a node that lives.
func beating(t *testing.T, database, node string) *pgstore.Store {
	t.Helper()
	s := openAs(t, database, node)
	t.Cleanup(func() { _ = s.Close() })
	must(t, s.Beat(t.Context()))
	return s
}

// pending are a node's deletions that it has to do, with the number of their chains.
func pending(t *testing.T, s *pgstore.Store) map[string]int {
	t.Helper()
	all, err := s.Pending(t.Context(), time.Unix(1, 0))
	must(t, err)
	chains := map[string]int{}
	for _, d := range all {
		chains[d.Operation] = len(d.Chains)
	}
	return chains
}

// delete has a node delete an agent with one conversation.
func deleteAgent(t *testing.T, s *pgstore.Store, operation, id string) agents.Deletion {
	t.Helper()
	r := agents.Record{Tenant: "t", ID: id, Heads: []agents.Head{{Chain: chain(1, 2)}}}
	_, err := s.Put(t.Context(), agents.ChangeOf(agents.Record{}, r))
	must(t, err)
	d, err := s.Delete(t.Context(), agents.Deletion{Operation: operation, Tenant: "t", ID: id, Created: time.Unix(400, 0), Noticed: true})
	must(t, err)
	return d
}

// confirm has a node end its part.
func confirm(t *testing.T, s *pgstore.Store, operation string, blocks int) {
	t.Helper()
	must(t, s.Progress(t.Context(), agents.Deletion{Operation: operation, Ended: time.Now(), Removed: kv.Moved{Blocks: blocks}}))
}

func hasEnded(t *testing.T, s *pgstore.Store, operation string) bool {
	t.Helper()
	d, err := s.Deletion(t.Context(), operation)
	must(t, err)
	return !d.Ended.IsZero()
}

// A deletion ends when every node that lives has done it. One that was away does it when it is back, and
// until then the chains stay.
func TestEveryNodeConfirmsADeletion(t *testing.T) {
	server := pgtest.Start(t)
	database := server.Database()
	one, two, away := beating(t, database, "one"), beating(t, database, "two"), beating(t, database, "away")
	server.Exec(database, `UPDATE nodes SET heartbeat = now() - interval '1 hour' WHERE id = 'away'`)
	deleteAgent(t, one, "op", "a")
	if got := pending(t, two); len(got) != 1 || got["op"] != 1 {
		t.Errorf("the other node has to do %v", got)
	}
	confirm(t, one, "op", 2)
	if hasEnded(t, one, "op") {
		t.Error("it ended before the other node did it")
	}
	confirm(t, two, "op", 3)
	d, err := two.Deletion(t.Context(), "op")
	if err != nil || d.Ended.IsZero() || d.Removed.Blocks != 5 {
		t.Errorf("%+v, %v", d, err)
	}
	if got := pending(t, one); len(got) != 0 {
		t.Errorf("who has done it has to do %v", got)
	}
	later, err := one.Pending(t.Context(), time.Now().Add(time.Hour)) // forgets what ended long ago, but not this
	must(t, err)
	if got := pending(t, away); len(later) != 0 || got["op"] != 1 {
		t.Errorf("the node that was away has to do %v", got)
	}
	confirm(t, away, "op", 0)
	_, err = one.Pending(t.Context(), time.Now().Add(time.Hour))
	must(t, err)
	if _, err := one.Deletion(t.Context(), "op"); !errors.Is(err, agents.ErrNotFound) {
		t.Errorf("it is not forgotten: %v", err)
	}
}

// Nobody waits for a node that ended or fell silent, and a new one has nothing to do with what has ended.
func TestNodesComeAndGo(t *testing.T) {
	server := pgtest.Start(t)
	database := server.Database()
	one, two, silent := beating(t, database, "one"), beating(t, database, "two"), beating(t, database, "silent")
	deleteAgent(t, one, "op", "a")
	confirm(t, one, "op", 2)
	must(t, two.Close())
	server.Exec(database, `UPDATE nodes SET heartbeat = now() - interval '31 s' WHERE id = 'silent'`)
	if pending(t, one); !hasEnded(t, one, "op") {
		t.Error("it waits for nodes that are gone")
	}
	if got := pending(t, beating(t, database, "new")); len(got) != 0 {
		t.Errorf("a new node has to do %v", got)
	}
	must(t, silent.Beat(t.Context()))
	if got := pending(t, silent); got["op"] != 1 {
		t.Errorf("a node that is back has to do %v", got)
	}
	if got := pending(t, beating(t, database, "two")); got["op"] != 1 {
		t.Errorf("a node that started again has to do %v", got)
	}
}

// Until a node has taken notice of a deletion it makes no record of the agent: it would be one of the
// conversations that were deleted.
func TestADeletedAgentIsNotMadeAgainByChance(t *testing.T) {
	database := pgtest.Start(t).Database()
	one, two := beating(t, database, "one"), beating(t, database, "two")
	deleteAgent(t, one, "op", "a")
	r := agents.Record{Tenant: "t", ID: "a", Heads: []agents.Head{{Chain: chain(1)}}}
	if _, err := two.Put(t.Context(), agents.ChangeOf(agents.Record{}, r)); !errors.Is(err, agents.ErrUnnoticed) {
		t.Errorf("a node that does not know of the deletion made the agent again: %v", err)
	}
	other := r
	other.ID = "b"
	if _, err := two.Put(t.Context(), agents.ChangeOf(agents.Record{}, other)); err != nil {
		t.Errorf("another agent: %v", err)
	}
	must(t, two.Notice(t.Context(), "op", []kv.Chain{chain(7)}))
	if got := pending(t, one); got["op"] != 2 {
		t.Errorf("what the other node found is not to be removed: %v", got)
	}
	if _, err := two.Put(t.Context(), agents.ChangeOf(agents.Record{}, r)); err != nil {
		t.Errorf("a new beginning: %v", err)
	}
	if _, err := one.Delete(t.Context(), agents.Deletion{Operation: "op2", Tenant: "t", ID: "a", Created: time.Unix(500, 0)}); err != nil {
		t.Error(err)
	}
	if _, err := one.Put(t.Context(), agents.ChangeOf(agents.Record{}, r)); err != nil {
		t.Errorf("a new beginning where it was deleted: %v", err)
	}
}

// Who watches is told of another node's deletion.
func TestNodesAreToldOfDeletions(t *testing.T) {
	database := pgtest.Start(t).Database()
	one, two := beating(t, database, "one"), beating(t, database, "two")
	ctx, leave := context.WithCancel(t.Context())
	told, ended := make(chan struct{}, 9), make(chan error, 1)
	go func() { ended <- two.Watch(ctx, func() { told <- struct{}{} }) }()
	<-told // it listens
	deleteAgent(t, one, "op", "a")
	<-told
	leave()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A command waits for every other node that lives, and each takes it once, in order; who lives no more is left
// out, and neither what is old nor what was for a node's earlier process is carried out.
func TestCommandsWaitForNodesThatLive(t *testing.T) {
	server := pgtest.Start(t)
	database := server.Database()
	one, two, silent := beating(t, database, "one"), beating(t, database, "two"), beating(t, database, "silent")
	server.Exec(database, `UPDATE nodes SET heartbeat = now() - interval '1 hour' WHERE id = 'silent'`)
	first := agents.Command{Kind: agents.CommandEvict, Tenant: "t", ID: "a", Tier: "disk"}
	second := agents.Command{Kind: agents.CommandRetain, Tenant: "t", ID: "a", Until: time.Unix(500, 0)}
	for _, c := range []agents.Command{first, second} {
		if nodes, err := one.Send(t.Context(), c); nodes != 1 || err != nil {
			t.Errorf("it was left to %d nodes, %v", nodes, err)
		}
	}
	if got := received(t, two); len(got) != 2 || got[0] != first || !got[1].Until.Equal(second.Until) || got[1].Kind != second.Kind {
		t.Errorf("received %+v", got)
	}
	for _, s := range []*pgstore.Store{one, two, silent} {
		if got := received(t, s); len(got) != 0 {
			t.Errorf("received %+v", got)
		}
	}
	_, err := one.Send(t.Context(), first)
	must(t, err)
	server.Exec(database, `UPDATE node_commands SET created = now() - interval '11 minutes'`)
	if got := received(t, two); len(got) != 0 {
		t.Errorf("what is old was received: %+v", got)
	}
	_, err = one.Send(t.Context(), first)
	must(t, err)
	must(t, two.Close())
	if got := received(t, beating(t, database, "two")); len(got) != 0 {
		t.Errorf("the next process received %+v", got)
	}
	_, err = one.Send(t.Context(), agents.Command{Kind: agents.CommandEvict, Tenant: "t", ID: "a\x00"})
	if err == nil {
		t.Error("a name that the database can't hold was sent")
	}
}

func received(t *testing.T, s *pgstore.Store) []agents.Command {
	t.Helper()
	all, err := s.Received(t.Context())
	must(t, err)
	return all
}

// Two processes with one name are told.
func TestANameBelongsToOneNode(t *testing.T) {
	database := pgtest.Start(t).Database()
	one, again := beating(t, database, "one"), beating(t, database, "one")
	if err := one.Beat(t.Context()); !errors.Is(err, agents.ErrSameNode) {
		t.Errorf("two processes have one name: %v", err)
	}
	must(t, again.Close())
	must(t, one.Beat(t.Context()))
	must(t, one.Beat(t.Context()))
}

// One node at a time does what is to be done for all, and another after it.
func TestOneNodeLeads(t *testing.T) {
	database := pgtest.Start(t).Database()
	one, two := beating(t, database, "one"), beating(t, database, "two")
	led := []string{}
	lead := func(name string, then func()) func(context.Context) {
		return func(context.Context) { led = append(led, name); then() }
	}
	must(t, one.Lead(t.Context(), lead("one", func() {
		must(t, two.Lead(t.Context(), lead("two beside one", func() {})))
	})))
	for began := time.Now(); len(led) < 2 && time.Since(began) < 10*time.Second; { // the server learns of the end of a connection a little later
		must(t, two.Lead(t.Context(), lead("two", func() {})))
	}
	if len(led) != 2 || led[0] != "one" || led[1] != "two" {
		t.Errorf("%v led", led)
	}
}
