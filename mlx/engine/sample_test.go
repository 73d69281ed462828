package engine

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func mustSample(t interface{ Fatal(...any) }, how Sampling, seed uint64, logits []float32) int32 {
	var scratch []candidate
	token, err := newSampler(how, seed).sample(logits, &scratch)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestGreedyTakesTheFirstMaximum(t *testing.T) {
	if got := mustSample(t, Sampling{}, 1, []float32{1, 3, 2, 3}); got != 1 {
		t.Fatalf("took %d", got)
	}
}

func TestSamplerRefusesLogitsThatAreNoNumbers(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, logits := range [][]float32{{nan, nan}, {1, inf}, {-inf, -inf}} {
		if _, err := newSampler(Sampling{Temperature: 1}, 1).sample(logits, new([]candidate)); err == nil {
			t.Errorf("%v accepted", logits)
		}
	}
}

// Penalties count the answer's own tokens, biases hold for all of it, and both go before what a constraint allows.
func TestLogitsAreChangedBeforeATokenIsChosen(t *testing.T) {
	var scratch []candidate
	for _, c := range []struct {
		how  Sampling
		only Constraint
		want []int32
	}{
		{Sampling{}, nil, []int32{3, 3, 3, 3}},
		{Sampling{Presence: 1.5}, nil, []int32{3, 2, 3, 3}},
		{Sampling{Frequency: 0.6}, nil, []int32{3, 3, 2, 3}},
		{Sampling{Frequency: -1, Bias: map[int32]float32{1: 2.5, 99: 7, -1: 7}}, nil, []int32{1, 1, 1, 1}},
		{Sampling{Presence: 2, Bias: map[int32]float32{3: -100}}, nil, []int32{2, 1, 0, 2}},
		{Sampling{Presence: 1.5, Bias: map[int32]float32{3: -100}}, noneBut{0, 1}, []int32{1, 0, 1, 1}},
	} {
		s := newSampler(c.how, 1).within(c.only)
		var got []int32
		for range c.want {
			token, err := s.sample([]float32{0, 1, 2, 3}, &scratch)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, token)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v, want %v", c.how, got, c.want)
		}
	}
}

// noneBut allows some tokens, always.
type noneBut []int32

func (n noneBut) Allowed() ([]uint64, error) {
	mask := make([]uint64, 1)
	for _, token := range n {
		mask[0] |= 1 << token
	}
	return mask, nil
}

func (noneBut) Advance(int32) error { return nil }

// The filters keep just the tokens that a full sort keeps.
func TestFiltersAgreeWithAFullSort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		steps := rapid.SliceOfN(rapid.IntRange(-128, 128), 1, 60).Draw(t, "logits in sixteenths")
		logits := make([]float32, len(steps))
		for i, step := range steps {
			logits[i] = float32(step) / 16
		}
		how := Sampling{
			Temperature: rapid.Float64Range(0.1, 2).Draw(t, "temperature"),
			TopK:        rapid.IntRange(0, 70).Draw(t, "top_k"),
			TopP:        rapid.Float64Range(0, 1).Draw(t, "top_p"),
			MinP:        rapid.Float64Range(0, 1).Draw(t, "min_p"),
		}
		top := float64(logits[argmax(logits)])
		var got []int32
		for _, c := range newSampler(how, 1).filter(logits, top, nil) {
			got = append(got, c.token)
		}
		slices.Sort(got)
		if want := sortedFilter(how, logits, top); !slices.Equal(got, want) {
			t.Fatalf("kept %v, want %v", got, want)
		}
	})
}

// sortedFilter is the plain version of sampler.filter.
func sortedFilter(how Sampling, logits []float32, top float64) []int32 {
	var all []candidate
	for i, logit := range logits {
		value := (float64(logit) - top) / how.Temperature
		if value >= -negligible && (how.MinP == 0 || value >= math.Log(how.MinP)) {
			all = append(all, candidate{int32(i), value})
		}
	}
	slices.SortFunc(all, func(a, b candidate) int {
		if a.before(b) {
			return -1
		}
		return 1
	})
	if how.TopK > 0 {
		all = all[:min(how.TopK, len(all))]
	}
	total := 0.0
	for i := range all {
		all[i].value = math.Exp(all[i].value)
		total += all[i].value
	}
	if how.TopP > 0 && how.TopP < 1 {
		sum, n := 0.0, 0
		for n < len(all) && sum < how.TopP*total-1e-12 {
			sum += all[n].value
			n++
		}
		all = all[:max(1, n)]
	}
	var tokens []int32
	for _, c := range all {
		tokens = append(tokens, c.token)
	}
	slices.Sort(tokens)
	return tokens
}

func TestDrawsFollowTheProbabilities(t *testing.T) {
	logits := []float32{0, float32(math.Log(2)), float32(math.Log(5))}
	s := newSampler(Sampling{Temperature: 1}, 7)
	var scratch []candidate
	counts := make([]int, 3)
	const draws = 80_000
	for range draws {
		token, err := s.sample(logits, &scratch)
		if err != nil {
			t.Fatal(err)
		}
		counts[token]++
	}
	for token, share := range []float64{1.0 / 8, 2.0 / 8, 5.0 / 8} {
		if got := float64(counts[token]) / draws; math.Abs(got-share) > 0.01 {
			t.Errorf("token %d drawn with %.3f, want %.3f", token, got, share)
		}
	}
}

func TestASeedRepeatsItsDraws(t *testing.T) {
	logits := make([]float32, 1000)
	draw := func(seed uint64) (tokens []int32) {
		s, scratch := newSampler(Sampling{Temperature: 1, TopP: 0.9}, seed), []candidate(nil)
		for range 20 {
			token, err := s.sample(logits, &scratch)
			if err != nil {
				t.Fatal(err)
			}
			tokens = append(tokens, token)
		}
		return tokens
	}
	if !slices.Equal(draw(3), draw(3)) {
		t.Error("the same seed drew differently")
	}
	if slices.Equal(draw(3), draw(4)) {
		t.Error("two seeds drew the same")
	}
}

func BenchmarkSample(b *testing.B) {
	logits := make([]float32, 150_000)
	for i := range logits {
		logits[i] = float32(i%4001)/4001*20 - 10
	}
	for name, how := range map[string]Sampling{
		"greedy":      {},
		"temperature": {Temperature: 1},
		"top_p":       {Temperature: 0.7, TopP: 0.9},
		"top_k":       {Temperature: 0.7, TopK: 40},
		"min_p":       {Temperature: 0.7, MinP: 0.05},
	} {
		b.Run(name, func(b *testing.B) {
			s, scratch := newSampler(how, 1), []candidate(nil)
			for b.Loop() {
				if _, err := s.sample(logits, &scratch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
