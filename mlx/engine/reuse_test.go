package engine_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
	"github.com/agent-memory/agent-memory/mlx/kv"
)

// remember makes an engine keep what its tenants computed.
func remember(blocks int64) func(*engine.Config) {
	return func(c *engine.Config) {
		c.Tenant = func(name string) *kv.Tenant { return kv.NewTenant([]byte("cluster"), name) }
		if blocks > 0 {
			c.Budget = blocks * enginetest.BlockBytes
		}
	}
}

func TestTheNextTurnReadsTheLastOneAndItsAnswer(t *testing.T) {
	model := enginetest.New(enginetest.Config{NoEnd: true})
	e, stop := start(t, model, remember(0))
	defer stop()
	for _, length := range []int{1, 100, 255, 256, 257, 700} {
		talk := &talk{text: fmt.Sprintf("%d", length) + strings.Repeat("x", length)}
		for turn := range 4 {
			text, result, err := answer(e, talk.request(50))
			if err != nil {
				t.Fatal(err)
			}
			// All but the token that is always computed, and on later turns but for what the user added.
			if want := len(talk.text) - 1 - len(" more"); turn > 0 && result.Usage.Cached < want {
				t.Errorf("length %d, turn %d: %d of %d tokens were cached, want %d", length, turn, result.Usage.Cached, len(talk.text), want)
			}
			talk.hear(text)
			talk.say(" more")
		}
	}
}

func TestTenantsNeverShare(t *testing.T) {
	e, stop := start(t, enginetest.New(enginetest.Config{}), remember(0))
	defer stop()
	prompt := strings.Repeat("secret ", 100)
	for _, tenant := range []string{"a", "b", "c"} {
		req := request(prompt, 5)
		req.Tenant = tenant
		if _, result, err := answer(e, req); err != nil || result.Usage.Cached != 0 {
			t.Errorf("tenant %s: %d tokens were cached, %v", tenant, result.Usage.Cached, err)
		}
	}
}

func TestASharedBeginningIsHeldOnce(t *testing.T) {
	e, stop := start(t, enginetest.New(enginetest.Config{NoEnd: true}), remember(0))
	defer stop()
	system := strings.Repeat("s", 8*engine.BlockTokens)
	for i := range 10 {
		if _, _, err := answer(e, request(fmt.Sprint(system, i), 5)); err != nil {
			t.Fatal(err)
		}
	}
	if got, most := e.Status().PoolResident, int64(8+10)*enginetest.BlockBytes; got > most {
		t.Errorf("%d bytes are resident, want at most %d", got, most)
	}
	if used := e.Status().PoolUtilization; used != 0 {
		t.Errorf("utilisation is %g with nothing running", used)
	}
}

func TestBlocksAreReadyWhileNothingRuns(t *testing.T) {
	model := enginetest.New(enginetest.Config{})
	e, stop := start(t, model, func(c *engine.Config) { c.ReadyBlocks = 3 })
	defer stop()
	for model.Blocks() < 3 {
		runtime.Gosched()
	}
	status := e.Status()
	if status.PoolUtilization != 0 || status.PoolResident > 3*enginetest.BlockBytes {
		t.Errorf("%+v", status)
	}
	if _, _, err := answer(e, request("x", 3)); err != nil {
		t.Fatal(err)
	}
}

// Whatever is shared, reclaimed, preempted or copied, every answer is the one that a fresh engine gives.
func TestReuseNeverChangesAnAnswer(t *testing.T) {
	plain, stopPlain := start(t, enginetest.New(enginetest.Config{}), nil)
	defer stopPlain()
	rapid.Check(t, func(r *rapid.T) {
		budget := rapid.Int64Range(5, 12).Draw(r, "blocks")
		e, stop := start(t, enginetest.New(enginetest.Config{}), remember(budget))
		defer stop()
		talks := make([]string, 3)
		for range rapid.IntRange(1, 6).Draw(r, "rounds") {
			var streams [3]*engine.Stream
			for i := range talks {
				talks[i] = drawTalk(r, talks)
				streams[i] = submit(t, e, request(talks[i], 60))
			}
			for i, stream := range streams {
				got, result, err := readAll(stream)
				want, _, wantErr := answer(plain, request(talks[i], 60))
				if err != nil || wantErr != nil || got != want {
					r.Fatalf("with %d tokens cached: %q (%v), a fresh engine says %q (%v)", result.Usage.Cached, got, err, want, wantErr)
				}
				talks[i] += got
			}
		}
	})
}

// drawTalk goes on with one of the talks, or with its beginning.
func drawTalk(r *rapid.T, talks []string) string {
	talk := rapid.SampledFrom(talks).Draw(r, "from")
	talk += strings.Repeat(rapid.SampledFrom([]string{"a", "b", "ab"}).Draw(r, "more"), rapid.IntRange(1, 150).Draw(r, "times"))
	if len(talk) > 1000 {
		talk = talk[:rapid.IntRange(1, 1000).Draw(r, "cut")]
	}
	return talk
}

func submit(t testing.TB, e *engine.Engine, req engine.Request) *engine.Stream {
	t.Helper()
	stream, err := e.Submit(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return stream
}
