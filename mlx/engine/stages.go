package engine

import (
	"slices"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv/cache"
)

// StageName names a part of a request's way.
type StageName string

// The parts of a request's way, in the order in which they begin. A prompt is matched, and its blocks are restored, while the
// request waits for its slot already.
const (
	StageMatch   StageName = "match"   // what there is of the prompt is looked up
	StageQueue   StageName = "queue"   // until it has its slot
	StageRestore StageName = "restore" // from one tier: from the first block that is read there to the last that has come
	StagePrefill StageName = "prefill" // from when nothing is waited for any more to the first token
	StageDecode  StageName = "decode"  // from the first token to the end
)

// Stage is a part of a request's way that came to its end.
type Stage struct {
	Name         StageName
	Began, Ended time.Time
	Tier         string // with StageRestore
	Blocks       int    // with StageRestore: that were read
	Bytes        int64  // with StageRestore
	Tokens       int    // that were found, restored, computed, or generated
}

// way is when a sequence came where.
type way struct {
	matching, matched time.Time // zero: there is no memory to look in
	queued            time.Time
	admitted          time.Time // the first time
	computing         time.Time // the first time that nothing was waited for
	generating        time.Time // its first token was there
}

// stages are the parts of the sequence's way, which ends now.
func (s *sequence) stages(now time.Time) (stages []Stage) {
	add := func(stage Stage) {
		if stage.Began.IsZero() {
			return
		}
		if stage.Ended.IsZero() {
			stage.Ended = now
		}
		stages = append(stages, stage)
	}
	w, usage := s.way, s.result.Usage
	restored := s.restored()
	found := 0
	if s.plan != nil && isClosed(s.plan.known) {
		found = s.plan.Cached()
	}
	add(Stage{Name: StageMatch, Began: w.matching, Ended: w.matched, Tokens: found})
	add(Stage{Name: StageQueue, Began: w.queued, Ended: w.admitted})
	for _, stage := range restored {
		add(stage)
	}
	add(Stage{Name: StagePrefill, Began: w.computing, Ended: w.generating, Tokens: usage.Prompt - usage.Cached})
	add(Stage{Name: StageDecode, Began: w.generating, Tokens: usage.Generated})
	return stages
}

// restored are the reads of the sequence's blocks, one stage for each tier that had some.
func (s *sequence) restored() (stages []Stage) {
	if s.plan == nil || !isClosed(s.plan.known) {
		return nil
	}
	for _, flight := range s.plan.flights {
		if arrival, arrived := flight.Arrival(); arrived && arrival.Tier != "" {
			stages = addArrival(stages, arrival, flight.Tokens)
		}
	}
	slices.SortFunc(stages, func(a, b Stage) int { return a.Began.Compare(b.Began) })
	return stages
}

func addArrival(stages []Stage, a cache.Arrival, tokens int) []Stage {
	i := slices.IndexFunc(stages, func(s Stage) bool { return s.Tier == a.Tier })
	if i < 0 {
		i = len(stages)
		stages = append(stages, Stage{Name: StageRestore, Tier: a.Tier, Began: a.Began, Ended: a.Ended})
	}
	stage := &stages[i]
	if a.Began.Before(stage.Began) {
		stage.Began = a.Began
	}
	if a.Ended.After(stage.Ended) {
		stage.Ended = a.Ended
	}
	stage.Blocks++
	stage.Bytes += a.Bytes
	stage.Tokens += tokens
	return stages
}
