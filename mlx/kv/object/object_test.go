package object_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/object"
	"github.com/agent-memory/agent-memory/mlx/kv/object/objecttest"
	"github.com/agent-memory/agent-memory/mlx/kv/tier"
	"github.com/agent-memory/agent-memory/mlx/kv/tiertest"
	"github.com/agent-memory/agent-memory/platform/objectstore"
)

func space() kv.Space { return kv.Space{Fingerprint: kv.Fingerprint{1}, Salt: kv.SaltID{2}} }

// sequence stores a sequence of so many full blocks, and returns them.
func sequence(t *testing.T, to kv.Tier, blocks int, seed uint64) (entries []kv.Entry, refs []kv.Ref) {
	t.Helper()
	parent := kv.Root
	for i := range blocks {
		e, file := tiertest.Sealed(t, space(), parent, kv.BlockTokens, seed+uint64(i))
		if to != nil {
			if err := to.Put(t.Context(), e, file); err != nil {
				t.Fatal(err)
			}
		}
		entries, refs, parent = append(entries, e), append(refs, e.Ref), e.Key
	}
	return entries, refs
}

func TestTheTierIsATier(t *testing.T) {
	for name, wrap := range map[string]func(kv.Tier) kv.Tier{
		"bare": func(inner kv.Tier) kv.Tier { return inner },
		"as it is wired": func(inner kv.Tier) kv.Tier {
			return tier.NewMetrics(tier.NewRetry(tier.NewBreaker(inner, tier.BreakerConfig{}), tier.RetryConfig{}), time.Now, func(tier.Call) {})
		},
	} {
		t.Run(name, func(t *testing.T) {
			tiertest.Run(t, func(*testing.T) kv.Tier {
				return wrap(object.New(object.Config{Bucket: objecttest.New(), Absence: time.Nanosecond}))
			}, tiertest.Sealed)
		})
	}
}

// A look-up does not cost one round trip a block, and what is known costs none.
func TestLookUpsAskSideBySideAndOnce(t *testing.T) {
	bucket := objecttest.New()
	_, refs := sequence(t, object.New(object.Config{Bucket: bucket}), 200, 1)
	other := object.New(object.Config{Bucket: bucket}) // another node
	bucket.Requests()
	if err := other.Learn(t.Context(), refs); err != nil {
		t.Fatal(err)
	}
	if n := bucket.Requests("start"); n != len(refs) {
		t.Errorf("%d small reads for %d blocks", n, len(refs))
	}
	for i, known := range other.Known(refs) {
		if !known.Exists() {
			t.Errorf("block %d is not known", i)
		}
	}
	if err := other.Learn(t.Context(), refs); err != nil || bucket.Requests("start", "get", "list") != 0 {
		t.Errorf("what is known was asked again: %v", err)
	}
	_, strange := sequence(t, nil, 200, 1000)
	for range 2 {
		if err := other.Learn(t.Context(), strange); err != nil {
			t.Fatal(err)
		}
	}
	if n := bucket.Requests("start", "get", "list"); n > 4 {
		t.Errorf("%d requests for a prompt of which nothing is there, asked for twice", n)
	}
}

// What another node stored a moment ago is found once the short memory of its absence has ended; what is gone is a miss.
func TestWhatIsRememberedExpires(t *testing.T) {
	bucket, now := objecttest.New(), time.Now()
	clock := func() time.Time { return now }
	here := object.New(object.Config{Bucket: bucket, Clock: clock})
	there := object.New(object.Config{Bucket: bucket, Clock: clock})
	e, file := tiertest.Sealed(t, space(), kv.Root, kv.BlockTokens, 1)
	has := func() bool {
		t.Helper()
		copies, err := here.Lookup(t.Context(), []kv.Ref{e.Ref})
		if err != nil {
			t.Fatal(err)
		}
		return copies[0].Exists()
	}
	if has() {
		t.Fatal("found before it was stored")
	}
	if err := there.Put(t.Context(), e, file); err != nil {
		t.Fatal(err)
	}
	now = now.Add(3 * time.Second)
	if !has() {
		t.Fatal("not found though it is there")
	}
	bucket.Empty() // somebody did
	if _, err := here.Get(t.Context(), e.Ref, nil); !errors.Is(err, kv.ErrNotFound) || has() {
		t.Errorf("%v; what is gone is still found", err)
	}
	if err := here.Put(t.Context(), e, file); err != nil || !has() {
		t.Errorf("stored again: %v", err)
	}
	bucket.Empty()
	now = now.Add(time.Hour)
	if has() {
		t.Error("the memory of a block never ends")
	}
}

// A block is known, by its tokens too, only after its PUT was acknowledged.
func TestABlockIsNotShownBeforeItWasStored(t *testing.T) {
	bucket := objecttest.New()
	here := object.New(object.Config{Bucket: bucket})
	bucket.Fail(errors.New("the connection was reset"))
	e, file := tiertest.Sealed(t, space(), kv.Root, kv.BlockTokens, 1)
	if err := here.Put(t.Context(), e, file); err == nil {
		t.Fatal("no error")
	}
	if known := here.Known([]kv.Ref{e.Ref}); known[0].Exists() {
		t.Error("a block is shown that was not stored")
	}
	here.Browse(e.Space, e.Parent, func(b kv.Branch) {
		if _, n := b.Along(e.Tags); n != 0 {
			t.Errorf("%d of its tokens are shown", n)
		}
	})
}

// Nobody's block is removed since one node could not read it; a block that is damaged indeed is replaced by a good copy.
func TestADamagedObjectIsReplacedAndNeverRemoved(t *testing.T) {
	for name, c := range map[string]struct {
		damage     func([]byte) []byte
		isReplaced bool
	}{
		"on the way only": {func(b []byte) []byte { return b }, false},
		"a flipped bit":   {func(b []byte) []byte { b[len(b)-1] ^= 1; return b }, true},
		"cut":             {func(b []byte) []byte { return b[:len(b)/2] }, true},
		"other bytes":     {func(b []byte) []byte { return bytes.Repeat([]byte("x"), len(b)) }, true},
	} {
		bucket := objecttest.New()
		here := object.New(object.Config{Bucket: bucket})
		e, file := tiertest.Sealed(t, space(), kv.Root, kv.BlockTokens, 1)
		if err := here.Put(t.Context(), e, file); err != nil {
			t.Fatal(err)
		}
		bucket.Change(c.damage)
		if err := here.Quarantine(t.Context(), e.Ref, errors.New("test")); err != nil {
			t.Fatal(err)
		}
		if len(bucket.Keys()) != 1 {
			t.Errorf("%s: removed", name)
		}
		if found, err := here.Lookup(t.Context(), []kv.Ref{e.Ref}); err != nil || found[0].Exists() || !here.Quarantined(e.Ref) {
			t.Errorf("%s: it is found again: %v", name, err)
		}
		bucket.Requests()
		if err := here.Put(t.Context(), e, file); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n := bucket.Requests("replace"); (n == 1) != c.isReplaced {
			t.Errorf("%s: replaced %d times", name, n)
		}
		if got, err := here.Get(t.Context(), e.Ref, nil); err != nil || !bytes.Equal(got, file) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}

// Another node finds what continues a block by one listing, without any record.
func TestWhatContinuesABlockIsFoundByOneListing(t *testing.T) {
	bucket := objecttest.New()
	here := object.New(object.Config{Bucket: bucket})
	entries, _ := sequence(t, here, 3, 1)
	tail, file := tiertest.Sealed(t, space(), entries[2].Key, 9, 5)
	if err := here.Put(t.Context(), tail, file); err != nil {
		t.Fatal(err)
	}
	bucket.Set("v1/other", nil)
	bucket.Set("v1/x.zz", nil)
	there := object.New(object.Config{Bucket: bucket})
	for _, want := range append(entries, tail) {
		bucket.Requests()
		more, err := there.LearnBehind(t.Context(), want.Space, want.Parent)
		if err != nil || !more || bucket.Requests("list", "start") != 2 {
			t.Errorf("%v, %v", more, err)
		}
		there.Browse(want.Space, want.Parent, func(b kv.Branch) {
			if end, n := b.Along(want.Tags); n != want.Tokens {
				t.Errorf("found %d of %d tokens, %v", n, want.Tokens, end)
			}
		})
	}
	if more, err := there.LearnBehind(t.Context(), space(), tail.Key); more || err != nil {
		t.Errorf("behind a tail: %v, %v", more, err)
	}
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	here := object.New(object.Config{Bucket: objecttest.New(), Remember: 10})
	_, refs := sequence(t, here, 30, 1)
	known := 0
	for _, c := range here.Known(refs) {
		if c.Exists() {
			known++
		}
	}
	if known != 10 {
		t.Errorf("%d blocks are remembered", known)
	}
	_, strange := sequence(t, nil, 100, 500)
	if _, err := here.Lookup(t.Context(), strange); err != nil {
		t.Fatal(err)
	}
	if found, err := here.Lookup(t.Context(), refs[:1]); err != nil || !found[0].Exists() {
		t.Errorf("a forgotten block is not found again: %v", err)
	}
}

func TestFaultsAreToldApart(t *testing.T) {
	bucket := objecttest.New()
	here := object.New(object.Config{Bucket: bucket})
	e, file := tiertest.Sealed(t, space(), kv.Root, kv.BlockTokens, 1)
	for kind, want := range map[error]string{
		objectstore.ErrRefused: "refused", objectstore.ErrThrottled: "throttled", objectstore.ErrTimeout: "timeout",
		objectstore.ErrNotFound: "missing", errors.New("reset"): "other",
	} {
		bucket.Fail(fmt.Errorf("store: %w", kind))
		if err := here.Put(t.Context(), e, file); kv.FaultOf(err) != want {
			t.Errorf("%v is told as %s: %v", kind, kv.FaultOf(err), err)
		}
	}
}

// What is missing is told by listings: right for every subset, over pages and spaces, and never at more requests than blocks.
func TestMissingBlocksAreToldByListings(t *testing.T) {
	bucket := objecttest.New()
	tier := object.New(object.Config{Bucket: bucket})
	var refs []kv.Ref
	for i := range 3000 {
		s := space()
		s.Salt[5] = byte(i % 2)
		refs = append(refs, kv.Ref{Space: s, Parent: kv.Key{byte(i % 7)}, Key: kv.Key{byte(i >> 8), byte(i), 31: byte(i)}})
	}
	names := map[string]kv.Ref{}
	for _, ref := range refs {
		names[fmt.Sprintf("v1/%s/%s/%s/%s.%s", ref.Fingerprint, ref.Salt, ref.Parent.String()[:2], ref.Parent, ref.Key)] = ref
	}
	for _, share := range []int{1, 2, 3, 50, 5000} { // one in so many is missing
		bucket.Empty()
		want := map[kv.Ref]bool{}
		n := 0
		for name, ref := range names {
			if n++; n%share == 0 {
				want[ref] = true
				continue
			}
			bucket.Set(name, nil)
		}
		for _, asked := range [][]kv.Ref{refs, refs[:1], refs[1000:1003], nil} {
			bucket.Requests()
			missing, err := tier.Missing(t.Context(), asked)
			if err != nil {
				t.Fatal(err)
			}
			if n := bucket.Requests("list", "start", "get"); n > len(asked) || n > 6 {
				t.Errorf("%d requests for %d blocks of 3,000", n, len(asked))
			}
			is := map[kv.Ref]bool{}
			for _, ref := range missing {
				is[ref] = true
			}
			for _, ref := range asked {
				if is[ref] != want[ref] {
					t.Fatalf("1 in %d is missing, %d asked: %s is told as missing: %v", share, len(asked), ref.Key, is[ref])
				}
			}
		}
	}
	bucket.Fail(objectstore.ErrThrottled)
	if _, err := tier.Missing(t.Context(), refs); !errors.Is(err, kv.ErrThrottled) {
		t.Errorf("a failing bucket: %v", err)
	}
}

// The inventory tells each block once, with its size and time, over pages, and passes over what is no block's name.
func TestTheInventoryTellsEveryBlockOnce(t *testing.T) {
	stored := time.Unix(1_000_000, 0)
	bucket := objecttest.NewAt(func() time.Time { return stored })
	want := map[kv.Ref]bool{}
	for i := range 2500 {
		s := space()
		s.Salt[5] = byte(i % 2)
		ref := kv.Ref{Space: s, Parent: kv.Key{byte(i % 7)}, Key: kv.Key{byte(i >> 8), byte(i)}}
		bucket.Set(fmt.Sprintf("v1/%s/%s/%s/%s.%s", s.Fingerprint, s.Salt, ref.Parent.String()[:2], ref.Parent, ref.Key), []byte("block"))
		want[ref] = true
	}
	some := bucket.Keys()[7]
	for _, name := range []string{"v1/x", some + ".old", some + "00", "v1/" + some, "v1" + some[3:], "cluster", some[:len(some)-1] + "F"} {
		bucket.Set(name, []byte("no block"))
	}
	err := object.NewInventory(object.New(object.Config{Bucket: bucket})).Walk(t.Context(), func(page []kv.Stored) error {
		for _, block := range page {
			if !want[block.Ref] || block.Bytes != 5 || !block.At.Equal(stored) {
				t.Errorf("%+v", block)
			}
			delete(want, block.Ref)
		}
		return nil
	})
	if err != nil || len(want) > 0 {
		t.Errorf("%d blocks are not told, %v", len(want), err)
	}
}
