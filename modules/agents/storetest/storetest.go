// Package storetest is what every store of agents' records must pass.
package storetest

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/modules/agents"
)

// Run tests stores. Each call of open with the same place opens what was stored there before.
func Run(t *testing.T, open func(t *testing.T, place string) agents.Store) {
	for name, test := range map[string]func(*testing.T, func() agents.Store){
		"RecordsSurviveReopening":   recordsSurvive,
		"OnlyOneOfTwoWins":          onlyOneWins,
		"LosersMergeAndLoseNothing": losersMerge,
		"ListsByCursor":             lists,
		"DeletesWhatNobodyOwns":     deletes,
		"DeletionsSurviveReopening": deletionsStay,
		"DeletesAllOfATenant":       deletesTenant,
		"TheSecretStays":            secretStays,
		"TellsTheLastUseOfBlocks":   tellsLastUse,

		"WritesWhatChanged":                  writesChanges,
		"AConflictChangesNothing":            conflictsChangeNothing,
		"RandomChangesKeepRecordsAndOwners":  randomChanges,
		"OneOfManyAtOnceWins":                oneOfManyWins,
		"AnswersAboutManyBlocksAtOnce":       manyBlocks,
		"NobodyComesToOwnWhatIsBeingRemoved": removalsExclude,
		"AFailedRemovalLeavesNoLock":         failedRemovals,
		"RemovalsAndRecordsRace":             removalsRace,
		"OneOperationLeavesAnotherItsBlocks": operationsPart,
		"TellsStrangeIdsApart":               strangeIDs,
		"ListsWholeTenantsWhileTheyChange":   listsUnderChange,
	} {
		t.Run(name, func(t *testing.T) {
			place := t.TempDir()
			test(t, func() agents.Store { return open(t, place) })
		})
	}
}

// chain makes a chain of full blocks named by the numbers, and a tail if that is not 0.
func chain(tail byte, keys ...byte) (c kv.Chain) {
	for _, key := range keys {
		c.Keys = append(c.Keys, kv.Key{key})
	}
	c.Tokens = len(keys) * kv.BlockTokens
	if tail != 0 {
		c.Tail = kv.Key{tail}
		c.Tokens += 7
	}
	return c
}

func record(id string, chains ...kv.Chain) agents.Record {
	r := agents.Record{Tenant: "t", ID: id, Created: time.Unix(100, 5).UTC(), Used: time.Unix(200, 0).UTC()}
	for i, c := range chains {
		r.Heads = append(r.Heads, agents.Head{Chain: c, Used: time.Unix(int64(1000-i), 0).UTC()})
	}
	return r
}

// put stores a record in place of the one that is there.
func put(t *testing.T, s agents.Store, r agents.Record) agents.Record {
	t.Helper()
	was, err := s.Get(t.Context(), r.Tenant, r.ID)
	if err != nil && !errors.Is(err, agents.ErrNotFound) {
		t.Fatal(err)
	}
	r.Version = was.Version
	if r.Version, err = change(t, s, was, r); err != nil {
		t.Fatal(err)
	}
	return r
}

// change makes one record into another.
func change(t *testing.T, s agents.Store, was, is agents.Record) (version int64, err error) {
	t.Helper()
	return s.Put(t.Context(), agents.ChangeOf(was, is))
}

// wantUnowned checks which of the chain's blocks nobody owns, by the first bytes of their keys.
func wantUnowned(t *testing.T, s agents.Store, c kv.Chain, want ...byte) {
	t.Helper()
	orphans, err := s.Unowned(t.Context(), c.Refs())
	if got := names(orphans); err != nil || !bytes.Equal(got, want) {
		t.Errorf("unowned are %v, %v, want %v", got, err, want)
	}
}

// names are the first bytes of the blocks' keys.
func names(blocks []kv.Ref) (first []byte) {
	for _, block := range blocks {
		first = append(first, block.Key[0])
	}
	return first
}

func secretStays(t *testing.T, open func() agents.Store) {
	s := open()
	if secret, err := s.Secret(t.Context(), nil); !errors.Is(err, agents.ErrNoSecret) {
		t.Errorf("without a secret: %q, %v", secret, err)
	}
	first, err := s.Secret(t.Context(), []byte("first"))
	if err != nil || string(first) != "first" {
		t.Fatalf("%q, %v", first, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open()
	defer s.Close()
	if again, err := s.Secret(t.Context(), []byte("second")); err != nil || !bytes.Equal(again, first) {
		t.Errorf("%q, %v", again, err)
	}
}
