// Package tiertest is what every tier must pass, bare or wrapped. What only tiers with an ability can do is asked of
// those only.
package tiertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// Open makes an empty tier with room for some hundred blocks, ready to store. It ends with the test.
type Open func(t *testing.T) kv.Tier

// Block makes a block of the given number of tokens that continues parent, with a few kilobytes at the most. Blocks
// of different arguments have different keys.
type Block func(t *testing.T, space kv.Space, parent kv.Key, tokens int, seed uint64) (kv.Entry, []byte)

// Run holds a tier to the contract of kv.Tier.
func Run(t *testing.T, open Open, block Block) {
	for name, check := range map[string]func(*suite){
		"a stored block is found and read":           (*suite).storesAndReads,
		"storing again is no error":                  (*suite).storesAgain,
		"a missing block is a plain miss":            (*suite).missesPlainly,
		"a call that was given up is no miss":        (*suite).tellsMissFromGivenUp,
		"the buffer given is used if large enough":   (*suite).usesTheBuffer,
		"tails are found under their parent":         (*suite).findsTails,
		"one query answers for a whole sequence":     (*suite).answersForASequence,
		"spaces never meet":                          (*suite).keepsSpacesApart,
		"a removed block is gone":                    (*suite).removes,
		"a quarantined block is gone":                (*suite).quarantines,
		"a tenant's blocks go together":              (*suite).wipes,
		"a block comes back after removal and store": (*suite).storesAfterRemoval,
		"keeping changes nothing that is found":      (*suite).keeps,
		"status tells what is there":                 (*suite).tellsStatus,
		"all at once from many goroutines":           (*suite).bearsConcurrency,
	} {
		t.Run(name, func(t *testing.T) { check(&suite{t, open(t), block}) })
	}
}

type suite struct {
	*testing.T
	tier  kv.Tier
	block Block
}

func space(n byte) kv.Space {
	return kv.Space{Fingerprint: kv.Fingerprint{0: n, 31: 0xfe}, Salt: kv.SaltID{0: n, 7: 0x5a}}
}

func (s *suite) full(parent kv.Key, seed uint64) (kv.Entry, []byte) {
	return s.block(s.T, space(1), parent, kv.BlockTokens, seed)
}

func (s *suite) store(e kv.Entry, data []byte) {
	s.Helper()
	if err := s.tier.Put(s.Context(), e, data); err != nil {
		s.Fatalf("store: %v", err)
	}
}

func (s *suite) wantBytes(e kv.Entry, want []byte) {
	s.Helper()
	got, err := s.tier.Get(s.Context(), e.Ref, nil)
	if err != nil || !bytes.Equal(got, want) {
		s.Errorf("read %d bytes, %v; want the %d stored ones", len(got), err, len(want))
	}
}

func (s *suite) wantGone(e kv.Entry) {
	s.Helper()
	if _, err := s.tier.Get(s.Context(), e.Ref, nil); !errors.Is(err, kv.ErrNotFound) {
		s.Errorf("read: %v, want a miss", err)
	}
	if s.lookup(e).Exists() {
		s.Errorf("lookup still finds the block")
	}
	if n := s.browse(e); n != 0 {
		s.Errorf("browsing still finds %d of its tokens", n)
	}
}

// lookup returns what the tier says of a block.
func (s *suite) lookup(e kv.Entry) kv.Copy {
	s.Helper()
	found, err := s.tier.Lookup(s.Context(), []kv.Ref{e.Ref})
	if err != nil || len(found) != 1 {
		s.Fatalf("lookup: %d answers, %v", len(found), err)
	}
	return found[0]
}

// browse returns how many of the block's tokens are found behind its parent, by a tier that knows tokens.
func (s *suite) browse(e kv.Entry) (tokens int) {
	browser, browses := kv.As[kv.Browser](s.tier)
	if !browses {
		return 0
	}
	browser.Browse(e.Space, e.Parent, func(b kv.Branch) {
		end, n := b.Along(e.Tags)
		if found, ok := end.Entry(n); ok && n == len(e.Tags) && found.Key != e.Key {
			s.Errorf("behind the tokens of %s lies %s", e.Key, found.Key)
		}
		tokens = n
	})
	return tokens
}

// quarantine puts a block aside; a tier without a quarantine has it deleted.
func (s *suite) quarantine(ref kv.Ref, cause error) error {
	if q, quarantines := kv.As[kv.Quarantiner](s.tier); quarantines {
		return q.Quarantine(s.Context(), ref, cause)
	}
	return s.tier.Delete(s.Context(), ref)
}

func (s *suite) touch(refs []kv.Ref, until time.Time) {
	if toucher, touches := kv.As[kv.Toucher](s.tier); touches {
		toucher.Touch(refs, until)
	}
}

func (s *suite) storesAndReads() {
	e, data := s.full(kv.Root, 1)
	s.store(e, data)
	s.wantBytes(e, data)
	if got := s.lookup(e); got.Bytes != int64(len(data)) {
		s.Errorf("found %d bytes, want %d", got.Bytes, len(data))
	}
}

func (s *suite) storesAgain() {
	e, data := s.full(kv.Root, 1)
	s.store(e, data)
	s.store(e, data)
	s.wantBytes(e, data)
	if status := s.tier.Status(); s.counts(status) && status.Blocks != 1 {
		s.Errorf("%d blocks", status.Blocks)
	}
}

func (s *suite) missesPlainly() {
	e, _ := s.full(kv.Root, 1)
	s.wantGone(e)
	if err := s.tier.Delete(s.Context(), e.Ref); err != nil {
		s.Errorf("remove what isn't there: %v", err)
	}
	if err := s.quarantine(e.Ref, errors.New("test")); err != nil {
		s.Errorf("quarantine what isn't there: %v", err)
	}
	if !s.tier.Status().Healthy {
		s.Error("a miss made the tier sick")
	}
}

func (s *suite) tellsMissFromGivenUp() {
	e, data := s.full(kv.Root, 1)
	s.store(e, data)
	given, up := context.WithCancel(s.Context())
	up()
	if _, err := s.tier.Get(given, e.Ref, nil); err == nil || errors.Is(err, kv.ErrNotFound) {
		s.Errorf("read: %v", err)
	}
	if _, err := s.tier.Lookup(given, []kv.Ref{e.Ref}); err == nil {
		s.Error("lookup went on")
	}
	if !s.tier.Status().Healthy {
		s.Error("a caller that gave up made the tier sick")
	}
	s.wantBytes(e, data)
}

func (s *suite) usesTheBuffer() {
	e, data := s.full(kv.Root, 1)
	s.store(e, data)
	buf := make([]byte, len(data)+100)
	got, err := s.tier.Get(s.Context(), e.Ref, buf)
	if err != nil || !bytes.Equal(got, data) || &got[0] != &buf[0] {
		s.Errorf("read %d bytes into another buffer: %v", len(got), err)
	}
	got, err = s.tier.Get(s.Context(), e.Ref, make([]byte, 1))
	if err != nil || !bytes.Equal(got, data) {
		s.Errorf("read %d bytes with a small buffer: %v", len(got), err)
	}
}

func (s *suite) findsTails() {
	parent, data := s.full(kv.Root, 1)
	s.store(parent, data)
	short, shortData := s.block(s.T, space(1), parent.Key, 7, 2)
	long, longData := s.block(s.T, space(1), parent.Key, 200, 3)
	s.store(short, shortData)
	s.store(long, longData)
	for _, e := range []kv.Entry{short, long} {
		if !s.lookup(e).Exists() {
			s.Errorf("the tail of %d tokens is not found", e.Tokens)
		}
		if _, browses := kv.As[kv.Browser](s.tier); !browses {
			continue
		}
		if n := s.browse(e); n != len(e.Tags) {
			s.Errorf("browsing finds %d of %d tokens", n, len(e.Tags))
		}
	}
	s.wantBytes(long, longData)
	s.wantBytes(short, shortData)
}

func (s *suite) answersForASequence() {
	var refs []kv.Ref
	parent := kv.Root
	for seed := range uint64(5) {
		e, data := s.full(parent, seed)
		s.store(e, data)
		refs, parent = append(refs, e.Ref), e.Key
	}
	missing, _ := s.full(parent, 8)
	tail, data := s.block(s.T, space(1), parent, 9, 7)
	s.store(tail, data)
	refs = append(refs, missing.Ref, tail.Ref)
	found, err := s.tier.Lookup(s.Context(), refs)
	if err != nil || len(found) != 7 {
		s.Fatalf("%d answers for 7 blocks: %v", len(found), err)
	}
	for i := range refs {
		if want := i != 5; found[i].Exists() != want {
			s.Errorf("answer %d: %v", i, found[i])
		}
	}
}

func (s *suite) keepsSpacesApart() {
	e, data := s.full(kv.Root, 1)
	s.store(e, data)
	for _, other := range []kv.Space{
		{Fingerprint: e.Fingerprint, Salt: space(2).Salt},
		{Fingerprint: space(2).Fingerprint, Salt: e.Salt},
	} {
		stranger := e
		stranger.Space = other
		s.wantGone(stranger)
		if err := s.tier.Delete(s.Context(), stranger.Ref); err != nil {
			s.Error(err)
		}
	}
	s.wantBytes(e, data)
}

func (s *suite) removes() {
	e, data := s.full(kv.Root, 1)
	s.store(e, data)
	if err := s.tier.Delete(s.Context(), e.Ref); err != nil {
		s.Error(err)
	}
	s.wantGone(e)
}

func (s *suite) quarantines() {
	e, data := s.full(kv.Root, 1)
	s.store(e, data)
	if err := s.quarantine(e.Ref, errors.New("test")); err != nil {
		s.Error(err)
	}
	s.wantGone(e)
	s.store(e, data)
	s.wantBytes(e, data)
}

func (s *suite) storesAfterRemoval() {
	e, data := s.full(kv.Root, 1)
	for range 3 {
		s.store(e, data)
		s.wantBytes(e, data)
		if err := s.tier.Delete(s.Context(), e.Ref); err != nil {
			s.Error(err)
		}
		s.wantGone(e)
	}
}

func (s *suite) keeps() {
	e, data := s.full(kv.Root, 1)
	missing, _ := s.full(e.Key, 2)
	s.store(e, data)
	s.touch([]kv.Ref{missing.Ref, e.Ref}, time.Now().Add(time.Hour))
	s.touch([]kv.Ref{e.Ref}, time.Time{})
	s.touch(nil, time.Time{})
	s.wantBytes(e, data)
	s.wantGone(missing)
}

// counts tells whether the tier knows how much it has: a bucket has no budget.
func (s *suite) counts(status kv.TierStatus) bool { return status.Budget > 0 }

func (s *suite) tellsStatus() {
	e, data := s.full(kv.Root, 1)
	before := s.tier.Status()
	s.store(e, data)
	after := s.tier.Status()
	if s.tier.Name() == "" || after.Name != s.tier.Name() || !after.Healthy || after.Problem != "" || after.Indexing {
		s.Errorf("%q has status %+v", s.tier.Name(), after)
	}
	if !s.counts(after) {
		return
	}
	if after.Blocks != 1 {
		s.Errorf("%d blocks", after.Blocks)
	}
	if after.Bytes < before.Bytes+int64(len(data)) {
		s.Errorf("%d bytes became %d by storing %d", before.Bytes, after.Bytes, len(data))
	}
}

// Several goroutines store, find, read, remove and quarantine the same blocks. A block that is read is whole.
func (s *suite) bearsConcurrency() {
	const blocks, rounds = 8, 40
	var running sync.WaitGroup
	for worker := range 6 {
		running.Go(func() {
			for round := range rounds {
				e, data := s.full(kv.Root, uint64((worker+round)%blocks))
				if err := s.step(worker*rounds+round, e, data); err != nil {
					s.Errorf("worker %d, round %d: %v", worker, round, err)
				}
			}
		})
	}
	running.Wait()
	for seed := range uint64(blocks) {
		e, data := s.full(kv.Root, seed)
		s.store(e, data)
		s.wantBytes(e, data)
	}
}

func (s *suite) step(n int, e kv.Entry, data []byte) error {
	switch n % 7 {
	case 0, 1:
		return s.tier.Put(s.Context(), e, data)
	case 2:
		return s.tier.Delete(s.Context(), e.Ref)
	case 3:
		return s.quarantine(e.Ref, errors.New("test"))
	case 4:
		s.touch([]kv.Ref{e.Ref}, time.Time{})
		_, err := s.tier.Lookup(s.Context(), []kv.Ref{e.Ref})
		return err
	}
	got, err := s.tier.Get(s.Context(), e.Ref, nil)
	if errors.Is(err, kv.ErrNotFound) {
		return nil
	}
	if err == nil && !bytes.Equal(got, data) {
		return fmt.Errorf("read %d other bytes", len(got))
	}
	return err
}

func (s *suite) wipes() {
	wiper, wipes := kv.As[kv.Wiper](s.tier)
	if !wipes {
		return
	}
	var gone, staying []kv.Entry
	other := space(2)
	for n, at := range []kv.Space{space(1), {Fingerprint: other.Fingerprint, Salt: space(1).Salt}, other, {Fingerprint: space(1).Fingerprint, Salt: other.Salt}} {
		parent := kv.Root
		for i := range uint64(3) {
			e, data := s.block(s.T, at, parent, kv.BlockTokens, 10*uint64(n)+i)
			s.store(e, data)
			if parent = e.Key; at.Salt == other.Salt {
				staying = append(staying, e)
			} else {
				gone = append(gone, e)
			}
		}
	}
	if err := s.quarantine(gone[0].Ref, errors.New("damaged by the test")); err != nil {
		s.Fatal(err)
	}
	moved, err := wiper.Wipe(s.Context(), space(1).Salt, time.Now().Add(time.Hour))
	if err != nil || moved.Blocks < len(gone)-1 || moved.Bytes == 0 {
		s.Errorf("%+v of %d blocks, %v", moved, len(gone), err)
	}
	for _, e := range gone {
		s.wantGone(e)
	}
	for _, e := range staying {
		if !s.lookup(e).Exists() {
			s.Error("another tenant's block is gone")
		}
	}
}
