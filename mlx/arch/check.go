package arch

import (
	"fmt"
	"math"
)

const maxLayers = 1024

type bound struct {
	name   string
	n, max int
}

func checkBounds(bounds []bound) error {
	for _, b := range bounds {
		if b.n <= 0 || b.n > b.max {
			return fmt.Errorf("the model's %s is %d, expected 1 to %d", b.name, b.n, b.max)
		}
	}
	return nil
}

// Check refuses descriptions that no model has.
func (c Config) Check() error {
	if err := checkBounds([]bound{
		{"layers", len(c.Layers), maxLayers}, {"hidden size", c.Hidden, 1 << 17},
		{"vocabulary", c.Vocabulary, 1 << 22}, {"context length", c.Context, 1 << 24},
	}); err != nil {
		return err
	}
	for i, l := range c.Layers {
		if err := c.checkLayer(i, l); err != nil {
			return err
		}
	}
	if !(c.NormEps > 0 && c.NormEps < 1) {
		return fmt.Errorf("a norm epsilon of %g makes no sense", c.NormEps)
	}
	for _, id := range c.StopTokens {
		if id < 0 || int(id) >= c.Vocabulary {
			return fmt.Errorf("the token %d that ends a text is outside the vocabulary of %d", id, c.Vocabulary)
		}
	}
	return checkScales(c.EmbedScale, c.FinalCap)
}

func (c Config) checkLayer(i int, l Layer) error {
	if err := checkBounds([]bound{
		{"intermediate size", l.Intermediate, 1 << 20}, {"heads", l.Heads, 1024}, {"KV heads", l.KVHeads, 1024},
		{"head dimension", l.HeadDim, 1024},
	}); err != nil {
		return err
	}
	if err := l.Experts.check(); err != nil {
		return fmt.Errorf("layer %d: %w", i, err)
	}
	if l.Heads%l.KVHeads != 0 {
		return fmt.Errorf("%d heads cannot share %d KV heads evenly", l.Heads, l.KVHeads)
	}
	if first := c.Layers[0]; l.KVHeads != first.KVHeads || l.HeadDim != first.HeadDim || l.Heads != first.Heads {
		return fmt.Errorf("layer %d has other heads than the first, which is %w", i, ErrUnsupported)
	}
	if l.Window < 0 || l.Window > 1<<24 {
		return fmt.Errorf("the window of layer %d is %d", i, l.Window)
	}
	if l.Rope < 0 || l.Rope >= len(c.Ropes) {
		return fmt.Errorf("layer %d has the rotary embedding %d of %d", i, l.Rope, len(c.Ropes))
	}
	if err := c.Ropes[l.Rope].check(l.HeadDim); err != nil {
		return err
	}
	return checkScales(l.QueryScalar, l.ScoreCap)
}

func (e Experts) check() error {
	if e == (Experts{}) {
		return nil
	}
	return checkBounds([]bound{{"number of experts", e.Count, 1 << 12}, {"number of experts for a token", e.Used, e.Count}})
}

func (r Rope) check(headDim int) error {
	if r.Dims <= 0 || r.Dims%2 != 0 || r.Dims > headDim {
		return fmt.Errorf("%d rotary dimensions in heads of %d", r.Dims, headDim)
	}
	if !(r.Theta > 1) || math.IsInf(r.Theta, 0) {
		return fmt.Errorf("a rope theta of %g makes no sense", r.Theta)
	}
	if !(r.Scale >= 0 && r.Scale < 1e3) {
		return fmt.Errorf("rope scaling: cosines and sines would be multiplied by %g", r.Scale)
	}
	return r.checkStretch()
}

// checkStretch checks what a stretched rotation is made with.
func (r Rope) checkStretch() error {
	switch r.Type {
	case "default", "none", "factors":
		for _, f := range r.Factors {
			if !(f > 0) || math.IsInf(float64(f), 0) {
				return fmt.Errorf("rope scaling: a frequency would be divided by %g", f)
			}
		}
		return nil
	}
	switch {
	case !(r.Factor >= 1) || math.IsInf(r.Factor, 0):
		return fmt.Errorf("rope scaling: its factor is %g", r.Factor)
	case r.Type == "dynamic" && r.Dims < 4:
		return fmt.Errorf("rope scaling: %d rotary dimensions are too few for another base", r.Dims)
	case r.Type == "yarn" && !(r.BetaSlow > 0 && r.BetaFast > 0 && r.BetaFast < 1e6 && r.BetaSlow < 1e6 && r.Original > 0):
		return fmt.Errorf("rope scaling: beta_fast %g and beta_slow %g of a context of %d make no ramp", r.BetaFast, r.BetaSlow, r.Original)
	}
	return nil
}

func checkScales(all ...float64) error {
	for _, v := range all {
		if !(v >= 0 && v < 1e6) {
			return fmt.Errorf("a soft cap or scale of %g makes no sense", v)
		}
	}
	return nil
}
