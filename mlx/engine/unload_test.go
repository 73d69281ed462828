package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
	"github.com/agent-memory/agent-memory/platform/vfs"
)

// A model that is unloaded leaves nothing in memory, refuses what comes, and finds its conversations when it is loaded again.
func TestAModelIsUnloaded(t *testing.T) {
	first, models := enginetest.New(named("one")), &shelf{}
	n := startNodeOn(t, first, vfs.NewMem(vfs.MemConfig{}), 0, nil)
	defer n.stop()
	talk := &talk{text: strings.Repeat("a long prompt ", 60)}
	said, _, err := answer(n.Engine, talk.request(40))
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Unload(t.Context()); err != nil {
		t.Fatal(err)
	}
	status := n.Status()
	if !first.Closed() || first.Blocks() != 0 || !status.Unloaded || status.Started || status.Swapping || status.PoolResident != 0 {
		t.Errorf("closed %v with %d blocks, %+v", first.Closed(), first.Blocks(), status)
	}
	if _, err := n.Submit(t.Context(), talk.request(5)); !errors.Is(err, engine.ErrUnloaded) {
		t.Errorf("a request meanwhile: %v", err)
	}
	if _, err := n.Cache(); !errors.Is(err, engine.ErrUnloaded) {
		t.Errorf("the memory meanwhile: %v", err)
	}
	if err := n.Unload(t.Context()); !errors.Is(err, engine.ErrUnloaded) {
		t.Errorf("a second time: %v", err)
	}
	cause := errors.New("no such file")
	if err := n.Swap(t.Context(), func(func(string, float64)) (engine.Model, error) { return nil, cause }, false); !errors.Is(err, cause) || !n.Status().Unloaded {
		t.Errorf("a model that does not load: %v", err)
	}
	if err := n.Swap(t.Context(), models.open(named("one")), false); err != nil || n.Absence() != nil {
		t.Fatal(err, n.Absence())
	}
	talk.hear(said)
	talk.say("?")
	if _, result, err := answer(n.Engine, talk.request(5)); err != nil || result.Usage.Cached != len(talk.text)-2 {
		t.Errorf("%d of %d tokens were read, %v", result.Usage.Cached, len(talk.text), err)
	}
}

// What runs is finished before the model goes; neither a load nor another unload gets between.
func TestUnloadingWaitsForWhatRuns(t *testing.T) {
	gate := make(chan struct{})
	slow := gated("one", gate)
	e, stop := start(t, enginetest.New(slow), remember(0))
	defer stop()
	stream, err := e.Submit(t.Context(), request("hello", 20))
	if err != nil {
		t.Fatal(err)
	}
	unloaded := make(chan error, 1)
	go func() { unloaded <- e.Unload(context.Background()) }()
	waitFor(t, "it to begin", func() bool { return e.Status().Swapping })
	if err := e.Unload(t.Context()); !errors.Is(err, engine.ErrSwapping) {
		t.Errorf("a second time: %v", err)
	}
	if err := e.Swap(t.Context(), (&shelf{}).open(named("two")), false); !errors.Is(err, engine.ErrSwapping) {
		t.Errorf("a load: %v", err)
	}
	close(gate)
	if text, _, err := readAll(stream); err != nil || text != sayingOf("one", 5, 20) {
		t.Errorf("%q %v", text, err)
	}
	if err := <-unloaded; err != nil || !e.Status().Unloaded {
		t.Errorf("%v", err)
	}
}

// An engine without a model drains and ends like any other.
func TestAnEngineEndsWithoutAModel(t *testing.T) {
	e, stop := start(t, enginetest.New(named("one")), remember(0))
	if err := e.Unload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := e.Drain(t.Context()); err != nil {
		t.Error(err)
	}
	stop()
	if err := e.Swap(t.Context(), (&shelf{}).open(named("two")), false); !errors.Is(err, engine.ErrDraining) {
		t.Errorf("a load behind the end: %v", err)
	}
}
