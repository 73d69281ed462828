package engine_test

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
	"github.com/agent-memory/agent-memory/platform/vfs"
)

// audits counts the results of audits.
type audits struct{ equal, differs, dropped atomic.Int64 }

func (a *audits) count(c *engine.Config) {
	c.Audit = 1
	c.Listener.Audited = func(result engine.AuditResult) {
		map[engine.AuditResult]*atomic.Int64{
			engine.AuditEqual: &a.equal, engine.AuditDiffers: &a.differs, engine.AuditDropped: &a.dropped,
		}[result].Add(1)
	}
}

func (a *audits) wait(t *testing.T, n int64) {
	t.Helper()
	waitFor(t, "all audits to end", func() bool { return a.equal.Load()+a.differs.Load()+a.dropped.Load() == n })
}

func TestEveryAnswerIsTheSameWithoutACache(t *testing.T) {
	fs, talk, all := vfs.NewMem(vfs.MemConfig{}), &talk{text: strings.Repeat("once upon a time ", 40)}, &audits{}
	for turn := range 6 {
		n := startNode(t, fs, 0, all.count)
		talk.say(" go on")
		text, _, err := answer(n.Engine, talk.request(70))
		if err != nil {
			t.Fatal(err)
		}
		talk.hear(text)
		all.wait(t, int64(turn)+1)
		n.stop()
	}
	if all.equal.Load() != 6 {
		t.Errorf("%d of 6 answers are the same", all.equal.Load())
	}
}

func TestAnAuditFindsKVThatIsNotWhatItShouldBe(t *testing.T) {
	all, fs := &audits{}, vfs.NewMem(vfs.MemConfig{})
	prompt := strings.Repeat("wrong ", 100)
	n := startNode(t, fs, 0, all.count)
	if _, _, err := answer(n.Engine, request(prompt, 20)); err != nil {
		t.Fatal(err)
	}
	all.wait(t, 1)
	n.stop()

	model := enginetest.New(enginetest.Config{NoEnd: true, Imported: func(tokens []int32) { tokens[len(tokens)/2] ^= 1 }})
	n = startNodeOn(t, model, fs, 0, all.count)
	defer n.stop()
	if _, result, err := answer(n.Engine, request(prompt, 20)); err != nil || result.Usage.Cached == 0 {
		t.Fatalf("%+v, %v: the test shows nothing", result.Usage, err)
	}
	all.wait(t, 2)
	if all.equal.Load() != 1 || all.differs.Load() != 1 {
		t.Errorf("%d equal, %d differ", all.equal.Load(), all.differs.Load())
	}
}

// Audits take no memory that a request needs, and none from what is cached.
func TestAnAuditGivesWay(t *testing.T) {
	all := &audits{}
	e, stop := start(t, enginetest.New(enginetest.Config{NoEnd: true}), func(c *engine.Config) {
		remember(4)(c)
		all.count(c)
	})
	defer stop()
	for i := range 5 {
		prompt := strings.Repeat(string(rune('a'+i)), 900)
		if _, result, err := answer(e, request(prompt, 100)); err != nil || result.Usage.Generated != 100 {
			t.Fatalf("%+v, %v", result.Usage, err)
		}
	}
	all.wait(t, 5)
	if all.differs.Load() != 0 {
		t.Errorf("%d differ", all.differs.Load())
	}
}
