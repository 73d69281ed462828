// Package tiertest is what every tier, and every stack of tiers, must pass.
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
	if err := s.tier.Write(s.Context(), e, data); err != nil {
		s.Fatalf("store: %v", err)
	}
}

func (s *suite) wantBytes(e kv.Entry, want []byte) {
	s.Helper()
	got, err := s.tier.Read(s.Context(), e, nil)
	if err != nil || !bytes.Equal(got, want) {
		s.Errorf("read %d bytes, %v; want the %d stored ones", len(got), err, len(want))
	}
}

func (s *suite) wantGone(e kv.Entry) {
	s.Helper()
	if _, err := s.tier.Read(s.Context(), e, nil); !errors.Is(err, kv.ErrNotFound) {
		s.Errorf("read: %v, want a miss", err)
	}
	if found := s.lookup(e.Space, e.Parent); len(found) != 0 {
		s.Errorf("lookup still finds %d blocks", len(found))
	}
}

func (s *suite) lookup(in kv.Space, parent kv.Key) []kv.Entry {
	s.Helper()
	found, err := s.tier.Lookup(s.Context(), kv.Query{Space: in, Parents: []kv.Key{parent}})
	if err != nil || len(found) != 1 {
		s.Fatalf("lookup: %d answers, %v", len(found), err)
	}
	return found[0]
}

func (s *suite) storesAndReads() {
	e, data := s.full(kv.Root, 1)
	s.store(e, data)
	s.wantBytes(e, data)
	found := s.lookup(e.Space, kv.Root)
	if len(found) != 1 {
		s.Fatalf("found %d blocks", len(found))
	}
	got := found[0]
	if got.Key != e.Key || got.Space != e.Space || got.Parent != e.Parent || got.Bytes != int64(len(data)) {
		s.Errorf("found %s of %d bytes, want %s of %d", got.Key, got.Bytes, e.Key, len(data))
	}
	if !got.Full() || got.Tags[100] != e.Tags[100] {
		s.Error("the entry found has other tags")
	}
}

func (s *suite) storesAgain() {
	e, data := s.full(kv.Root, 1)
	s.store(e, data)
	s.store(e, data)
	s.wantBytes(e, data)
	if n := s.tier.Status().Blocks; n != 1 {
		s.Errorf("%d blocks", n)
	}
}

func (s *suite) missesPlainly() {
	e, _ := s.full(kv.Root, 1)
	s.wantGone(e)
	if err := s.tier.Remove(s.Context(), e); err != nil {
		s.Errorf("remove what isn't there: %v", err)
	}
	if err := s.tier.Quarantine(s.Context(), e, errors.New("test")); err != nil {
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
	if _, err := s.tier.Read(given, e, nil); err == nil || errors.Is(err, kv.ErrNotFound) {
		s.Errorf("read: %v", err)
	}
	if _, err := s.tier.Lookup(given, kv.Query{Space: e.Space, Parents: []kv.Key{kv.Root}}); err == nil {
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
	got, err := s.tier.Read(s.Context(), e, buf)
	if err != nil || !bytes.Equal(got, data) || &got[0] != &buf[0] {
		s.Errorf("read %d bytes into another buffer: %v", len(got), err)
	}
	got, err = s.tier.Read(s.Context(), e, make([]byte, 1))
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
	found := s.lookup(space(1), parent.Key)
	if len(found) != 2 || len(found[0].Tags)+len(found[1].Tags) != 207 {
		s.Errorf("found %d tails", len(found))
	}
	for _, e := range found {
		if e.Full() || e.Parent != parent.Key {
			s.Errorf("found %s under %s", e.Key, e.Parent)
		}
	}
	s.wantBytes(long, longData)
	s.wantBytes(short, shortData)
}

func (s *suite) answersForASequence() {
	q := kv.Query{Space: space(1), Parents: []kv.Key{kv.Root}}
	for seed := range uint64(5) {
		e, data := s.full(q.Parents[seed], seed)
		s.store(e, data)
		q.Keys, q.Parents = append(q.Keys, e.Key), append(q.Parents, e.Key)
	}
	found, err := s.tier.Lookup(s.Context(), q)
	if err != nil || len(found) != 6 {
		s.Fatalf("%d answers for 6 parents: %v", len(found), err)
	}
	for i, key := range q.Keys {
		if len(found[i]) != 1 || found[i][0].Key != key {
			s.Errorf("answer %d: %d blocks", i, len(found[i]))
		}
	}
	if len(found[5]) != 0 {
		s.Error("something continues the last block")
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
		if err := s.tier.Remove(s.Context(), stranger); err != nil {
			s.Error(err)
		}
	}
	s.wantBytes(e, data)
}

func (s *suite) removes() {
	e, data := s.full(kv.Root, 1)
	s.store(e, data)
	if err := s.tier.Remove(s.Context(), e); err != nil {
		s.Error(err)
	}
	s.wantGone(e)
}

func (s *suite) quarantines() {
	e, data := s.full(kv.Root, 1)
	s.store(e, data)
	if err := s.tier.Quarantine(s.Context(), e, errors.New("test")); err != nil {
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
		if err := s.tier.Remove(s.Context(), e); err != nil {
			s.Error(err)
		}
		s.wantGone(e)
	}
}

func (s *suite) keeps() {
	e, data := s.full(kv.Root, 1)
	missing, _ := s.full(e.Key, 2)
	s.store(e, data)
	s.tier.Keep([]kv.Entry{missing, e}, time.Now().Add(time.Hour))
	s.tier.Keep([]kv.Entry{e}, time.Time{})
	s.tier.Keep(nil, time.Time{})
	s.wantBytes(e, data)
	s.wantGone(missing)
}

func (s *suite) tellsStatus() {
	e, data := s.full(kv.Root, 1)
	before := s.tier.Status()
	s.store(e, data)
	after := s.tier.Status()
	if after.Name == "" || !after.Healthy || after.Problem != "" || after.Indexing || after.Blocks != 1 {
		s.Errorf("status %+v", after)
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
		return s.tier.Write(s.Context(), e, data)
	case 2:
		return s.tier.Remove(s.Context(), e)
	case 3:
		return s.tier.Quarantine(s.Context(), e, errors.New("test"))
	case 4:
		s.tier.Keep([]kv.Entry{e}, time.Time{})
		_, err := s.tier.Lookup(s.Context(), kv.Query{Space: e.Space, Parents: []kv.Key{kv.Root}})
		return err
	}
	got, err := s.tier.Read(s.Context(), e, nil)
	if errors.Is(err, kv.ErrNotFound) {
		return nil
	}
	if err == nil && !bytes.Equal(got, data) {
		return fmt.Errorf("read %d other bytes", len(got))
	}
	return err
}
