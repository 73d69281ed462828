package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
	"github.com/agent-memory/agent-memory/platform/vfs"
)

// named is a model that says its name for ever: which letter comes next is up to how many tokens there are.
func named(name string) enginetest.Config {
	return enginetest.Config{Name: name, NoEnd: true, Answer: func(tokens []int32) int32 {
		return enginetest.Encode(sayingOf(name, len(tokens), 1))[0]
	}}
}

// gated is a named model that goes on with an answer once the gate is closed.
func gated(name string, gate <-chan struct{}) enginetest.Config {
	slow := named(name)
	slow.Before = func(c enginetest.Call) error {
		if c.Decode && c.Number > 3 {
			<-gate
		}
		return nil
	}
	return slow
}

// sayingOf is what a named model says behind so many tokens.
func sayingOf(name string, behind, n int) string {
	text := "I am " + name + ". "
	said := make([]byte, n)
	for i := range said {
		said[i] = text[(behind+i)%len(text)]
	}
	return string(said)
}

// shelf opens models and remembers those that it opened.
type shelf struct {
	mu     sync.Mutex
	opened []*enginetest.Model
}

func (s *shelf) open(cfg enginetest.Config) engine.Open {
	return func(progress func(string, float64)) (engine.Model, error) {
		model := enginetest.New(cfg)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.opened = append(s.opened, model)
		return model.Open(progress)
	}
}

// left is how many models have not given everything back.
func (s *shelf) left() (open int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, model := range s.opened {
		if !model.Closed() || model.Blocks() != 0 {
			open++
		}
	}
	return open
}

// A model takes the other's place and back: each finds its conversations again, and what is not loaded holds no memory.
func TestModelsAreSwapped(t *testing.T) {
	first, models := enginetest.New(named("one")), &shelf{}
	n := startNodeOn(t, first, vfs.NewMem(vfs.MemConfig{}), 0, nil)
	defer n.stop()
	talk := &talk{text: strings.Repeat("a long prompt ", 60)}
	said, _, err := answer(n.Engine, talk.request(40))
	if err != nil || !strings.Contains(said, "one") {
		t.Fatalf("%q %v", said, err)
	}
	if err := n.Swap(t.Context(), models.open(named("two")), false); err != nil {
		t.Fatal(err)
	}
	if n.Spec().Name != "two" || !first.Closed() || first.Blocks() != 0 || !n.Status().Started {
		t.Errorf("%+v, the first closed %v with %d blocks", n.Spec(), first.Closed(), first.Blocks())
	}
	other, result, err := answer(n.Engine, talk.request(40))
	if err != nil || result.Usage.Cached != 0 || !strings.Contains(other, "two") {
		t.Errorf("%q, %d tokens read, %v", other, result.Usage.Cached, err)
	}
	if err := n.Swap(t.Context(), models.open(named("one")), false); err != nil {
		t.Fatal(err)
	}
	talk.hear(said)
	talk.say("?")
	if _, result, err = answer(n.Engine, talk.request(5)); err != nil || result.Usage.Cached != len(talk.text)-2 {
		t.Errorf("%d of %d tokens were read, %v", result.Usage.Cached, len(talk.text), err)
	}
	if models.left() != 1 {
		t.Errorf("%d of %d models are left open", models.left(), len(models.opened))
	}
	n.stop()
	if models.left() != 0 {
		t.Errorf("%d models are left open after the end", models.left())
	}
}

// A model that doesn't load leaves the one that was there, with its memory.
func TestAModelThatDoesNotLoadLeavesTheOther(t *testing.T) {
	first, models := named("one"), &shelf{}
	n := startNodeOn(t, enginetest.New(first), vfs.NewMem(vfs.MemConfig{}), 0, func(c *engine.Config) {
		begins := c.Open
		opened := false
		c.Open = func(progress func(string, float64)) (engine.Model, error) {
			if opened {
				return models.open(first)(progress)
			}
			opened = true
			return begins(progress)
		}
	})
	defer n.stop()
	talk := &talk{text: strings.Repeat("a long prompt ", 60)}
	said, _, err := answer(n.Engine, talk.request(40))
	if err != nil {
		t.Fatal(err)
	}
	cause := errors.New("no such file")
	for _, open := range []engine.Open{
		func(func(string, float64)) (engine.Model, error) { return nil, cause },
		func(func(string, float64)) (engine.Model, error) { panic(cause) },
	} {
		if err := n.Swap(t.Context(), open, false); err == nil || !strings.Contains(err.Error(), "no such file") {
			t.Errorf("%v", err)
		}
	}
	talk.hear(said)
	talk.say("?")
	if _, result, err := answer(n.Engine, talk.request(5)); err != nil || n.Spec().Name != "one" || result.Usage.Cached != len(talk.text)-2 {
		t.Errorf("%d of %d tokens were read, %v", result.Usage.Cached, len(talk.text), err)
	}
}

// What runs is finished by the model that it was asked of; what comes meanwhile is refused, or waits.
func TestASwapWaitsForWhatRuns(t *testing.T) {
	gate := make(chan struct{})
	slow := gated("one", gate)
	models := &shelf{}
	e, stop := start(t, enginetest.New(slow), remember(0))
	defer stop()
	stream, err := e.Submit(t.Context(), request("hello", 20))
	if err != nil {
		t.Fatal(err)
	}
	swapped := make(chan error, 1)
	go func() { swapped <- e.Swap(context.Background(), models.open(named("two")), true) }()
	waitFor(t, "the swap to begin", func() bool { return e.Status().Swapping })
	if err := e.Swap(t.Context(), models.open(named("three")), false); !errors.Is(err, engine.ErrSwapping) {
		t.Errorf("a second swap: %v", err)
	}
	if _, err := e.Submit(t.Context(), request("hello", 20)); !errors.Is(err, engine.ErrStarting) {
		t.Errorf("a request meanwhile: %v", err)
	}
	waited := make(chan string, 1)
	go func() {
		e.Await(context.Background())
		text, _, err := answer(e, request("hello", 20))
		waited <- fmt.Sprint(text, err)
	}()
	close(gate)
	if text, _, err := readAll(stream); err != nil || text != sayingOf("one", 5, 20) {
		t.Errorf("%q %v", text, err)
	}
	if err := <-swapped; err != nil {
		t.Fatal(err)
	}
	if text := <-waited; text != sayingOf("two", 5, 20)+"<nil>" {
		t.Errorf("%q", text)
	}
}

// A swap that nobody waits for any more leaves everything as it was.
func TestASwapIsGivenUp(t *testing.T) {
	gate := make(chan struct{})
	slow := named("one")
	slow.Before = func(c enginetest.Call) error {
		if c.Decode {
			<-gate
		}
		return nil
	}
	e, stop := start(t, enginetest.New(slow), remember(0))
	defer stop()
	stream, err := e.Submit(t.Context(), request("hello", 10))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := e.Swap(ctx, (&shelf{}).open(named("two")), false); !errors.Is(err, context.DeadlineExceeded) || e.Status().Swapping {
		t.Errorf("%v", err)
	}
	close(gate)
	if text, _, err := readAll(stream); err != nil || text != sayingOf("one", 5, 10) {
		t.Errorf("%q %v", text, err)
	}
	if text, _, err := answer(e, request("hello", 10)); err != nil || text != sayingOf("one", 5, 10) {
		t.Errorf("%q %v", text, err)
	}
}

// However requests and swaps meet, each answer is one model's alone, and nothing hangs or is left.
func TestSwapsUnderLoad(t *testing.T) {
	first, models := enginetest.New(named("zero")), &shelf{}
	n := startNodeOn(t, first, vfs.NewMem(vfs.MemConfig{}), 0, nil)
	defer n.stop()
	var over atomic.Bool
	var asking sync.WaitGroup
	var answered, refused atomic.Int64
	for i := range 6 {
		asking.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 9))
			for !over.Load() {
				length, most := 1+random.IntN(600), 1+random.IntN(60)
				text, _, err := answer(n.Engine, request(strings.Repeat("x", length), most))
				if errors.Is(err, engine.ErrStarting) {
					refused.Add(1)
					time.Sleep(time.Millisecond)
					continue
				}
				isOnes := slices.ContainsFunc([]string{"zero", "model-0", "model-1", "model-2"}, func(name string) bool {
					return text == sayingOf(name, length, most)
				})
				if err != nil || !isOnes {
					t.Errorf("behind %d: %q %v", length, text, err)
				}
				answered.Add(1)
			}
		})
	}
	for i := range 25 {
		if err := n.Swap(t.Context(), models.open(named(fmt.Sprintf("model-%d", i%3))), i%2 == 0); err != nil {
			t.Errorf("swap %d: %v", i, err)
		}
		before := answered.Load()
		waitFor(t, "some answers", func() bool { return answered.Load() > before+5 })
	}
	over.Store(true)
	asking.Wait()
	t.Logf("%d answers, %d refused", answered.Load(), refused.Load())
}
