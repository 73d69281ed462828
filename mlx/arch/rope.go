package arch

import (
	"fmt"
	"math"
)

// rope reads the rotary embedding that a file has for all layers.
func (s *settings) rope(headDim, context int) Rope {
	r := Rope{
		Theta: s.number(key{"rope_theta", "rope.freq_base"}, 10000), Type: "default",
		Dims: s.whole(key{"", "rope.dimension_count"}, headDim),
	}
	var err error
	if s.file.Kind == GGUF {
		err = s.scaledGGUF(&r)
	} else {
		err = s.scaledFolder(&r, context)
	}
	if s.err == nil {
		s.err = err
	}
	return r
}

// scaledGGUF reads how a GGUF stretches the rotation: by a type, or by a divisor for each frequency.
func (s *settings) scaledGGUF(r *Rope) error {
	kind := s.text(key{"", "rope.scaling.type"})
	r.Factor = s.number(key{"", "rope.scaling.factor"}, 0)
	switch {
	case kind == "linear":
		r.Type = "linear"
	case kind == "yarn":
		r.Type, r.BetaFast, r.BetaSlow = "yarn", 32, 1
		r.Original = s.whole(key{"", "rope.scaling.original_context_length"}, 0)
	case kind != "" && kind != "none":
		return fmt.Errorf("rope scaling %s is %w; linear, yarn and factors are", excerpt(kind), ErrUnsupported)
	}
	factors := s.file.RopeFactors
	if factors == nil {
		return nil
	}
	if len(factors) != r.Dims/2 {
		return fmt.Errorf("rope_freqs.weight has %d factors, expected %d", len(factors), r.Dims/2)
	}
	r.Type, r.Factors = "factors", factors
	return nil
}

// scaledFolder reads config.json's rope_scaling, or rope_parameters as newer files call it.
func (s *settings) scaledFolder(r *Rope, context int) error {
	object := s.nested(key{"rope_scaling", ""})
	if object == nil {
		object = s.nested(key{"rope_parameters", ""})
	}
	if object == nil {
		return nil
	}
	return scaledBy(object, r, context)
}

// ropeOf reads the part of rope_parameters for a kind of layers, which the newest config.json have where kinds
// differ. Without one, r stays as it is.
func (s *settings) ropeOf(kind string, r *Rope, context int) {
	kinds := &settings{file: File{Kind: Folder, Settings: s.nested(key{"rope_parameters", ""})}}
	object := kinds.nested(key{kind, ""})
	err := kinds.err
	if object != nil {
		err = scaledBy(object, r, context)
	}
	if s.err == nil && err != nil {
		s.err = fmt.Errorf("rope_parameters for %s: %w", kind, err)
	}
}

// scaledBy reads an object of rope_scaling's form.
func scaledBy(object map[string]any, r *Rope, context int) error {
	in := &settings{file: File{Kind: Folder, Settings: object}}
	in.scaled(r, context)
	if in.err != nil {
		return fmt.Errorf("rope scaling: %w", in.err)
	}
	return nil
}

func (s *settings) scaled(r *Rope, context int) {
	r.Theta = s.number(key{"rope_theta", ""}, r.Theta)
	kind := s.text(key{"rope_type", ""})
	if kind == "" {
		kind = s.text(key{"type", ""})
	}
	switch kind {
	case "", "default":
		return
	case "linear", "llama3", "yarn":
		r.Type = kind
	default:
		s.err = fmt.Errorf("rope scaling %s is %w; linear, llama3 and yarn are", excerpt(kind), ErrUnsupported)
		return
	}
	r.Factor = s.number(key{"factor", ""}, 0)
	r.Low, r.High = s.number(key{"low_freq_factor", ""}, 0), s.number(key{"high_freq_factor", ""}, 0)
	r.BetaFast, r.BetaSlow = s.number(key{"beta_fast", ""}, 32), s.number(key{"beta_slow", ""}, 1)
	r.Scale = s.number(key{"attention_factor", ""}, 0)
	if r.Original = s.whole(key{"original_max_position_embeddings", ""}, 0); r.Original == 0 {
		r.Original = context
	}
	if s.err == nil && (!(r.Factor >= 1) || math.IsInf(r.Factor, 0)) {
		s.err = fmt.Errorf("its factor is %g", r.Factor)
	}
}
