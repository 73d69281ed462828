package arch

import (
	"cmp"
	"fmt"
	"math"
)

// rope reads the rotary embedding that a file has for all layers.
func (s *settings) rope(headDim, context int) Rope {
	part := s.number(key{"partial_rotary_factor", ""}, 1)
	r := Rope{
		Theta: s.number(key{"rope_theta", "rope.freq_base"}, 10000), Type: "default",
		Dims: s.whole(key{"", "rope.dimension_count"}, int(part*float64(headDim))),
	}
	var err error
	if s.file.Kind == GGUF {
		err = s.scaledGGUF(&r, context)
	} else {
		err = s.scaledFolder(&r, headDim, context)
	}
	if s.err == nil {
		s.err = err
	}
	return r
}

// stretched is how many tokens a model of a context takes with this rotation. What linear, dynamic and yarn are
// configured for is beyond what the files call the model's context, as transformers documents it.
func (r Rope) stretched(context int) int {
	original := context
	switch r.Type {
	case "linear", "dynamic":
	case "yarn":
		original = r.Original
	default:
		return context
	}
	if tokens := r.Factor * float64(original); tokens < math.MaxInt32 {
		return max(context, int(tokens))
	}
	return math.MaxInt32 // which Config.Check refuses
}

// scaledGGUF reads how a GGUF stretches the rotation: by a type, or by a divisor for each frequency.
func (s *settings) scaledGGUF(r *Rope, context int) error {
	kind := s.text(key{"", "rope.scaling.type"})
	r.Original = s.whole(key{"", "rope.scaling.original_context_length"}, context)
	r.Factor = s.number(key{"", "rope.scaling.factor"}, 0)
	r.Scale = s.number(key{"", "rope.scaling.attn_factor"}, 0)
	switch {
	case kind == "linear":
		r.Type = "linear"
	case kind == "yarn":
		yarnGGUF(s, r)
	case kind != "" && kind != "none" && kind != "longrope":
		return fmt.Errorf("rope scaling %s is %w; linear, yarn, longrope and factors are", excerpt(kind), ErrUnsupported)
	}
	return factorsGGUF(s, r, kind, context)
}

// yarnGGUF reads a GGUF's yarn. llama.cpp multiplies its attention factors with yarn's own.
func yarnGGUF(s *settings, r *Rope) {
	r.Type = "yarn"
	r.BetaFast = s.number(key{"", "rope.scaling.yarn_beta_fast"}, 32)
	r.BetaSlow = s.number(key{"", "rope.scaling.yarn_beta_slow"}, 1)
	for _, k := range []struct {
		key  key
		want float64
	}{{key{"", "rope.scaling.yarn_ext_factor"}, 1}, {key{"", "rope.scaling.yarn_log_multiplier"}, 0}} {
		if got := s.number(k.key, k.want); got != k.want && s.err == nil {
			s.err = fmt.Errorf("the setting %s of %g is %w; %g is", s.name(k.key), got, ErrUnsupported, k.want)
		}
	}
	if factor := cmp.Or(r.Scale, 1) * s.number(key{"", "rope.scaling.yarn_attn_factor"}, 1); factor != 1 {
		r.Scale = factor * yarnScale(r.Factor, 1)
	}
}

// factorsGGUF reads the divisors of frequencies that a GGUF has as tensors: for all contexts, or for short and long
// ones.
func factorsGGUF(s *settings, r *Rope, kind string, context int) error {
	name, factors := "rope_freqs.weight", s.file.RopeFactors
	if s.file.LongRopeFactors != nil || kind == "longrope" {
		name, factors = "rope_factors_short.weight", s.file.ShortRopeFactors
		if context > r.Original {
			name, factors = "rope_factors_long.weight", s.file.LongRopeFactors
		}
	}
	switch {
	case factors == nil && kind == "longrope":
		return fmt.Errorf("rope scaling longrope needs the tensor %s, which the file lacks", name)
	case factors == nil:
		return nil
	case len(factors) != r.Dims/2:
		return fmt.Errorf("%s has %d factors, expected %d", name, len(factors), r.Dims/2)
	}
	r.Type, r.Factors = "factors", factors
	return nil
}

// scaledFolder reads config.json's rope_scaling, or rope_parameters as newer files call it.
func (s *settings) scaledFolder(r *Rope, headDim, context int) error {
	object := s.nested(key{"rope_scaling", ""})
	if object == nil {
		object = s.nested(key{"rope_parameters", ""})
	}
	if object == nil {
		return nil
	}
	in := &settings{file: File{Kind: Folder, Settings: object}}
	if part := in.number(key{"partial_rotary_factor", ""}, 0); part > 0 {
		r.Dims = int(part * float64(headDim))
	}
	original := s.whole(key{"original_max_position_embeddings", ""}, 0) // as Phi 3 has it
	return in.scaledBy(r, cmp.Or(original, context), context)
}

// ropeOf reads the part of rope_parameters for a kind of layers, which the newest config.json have where kinds
// differ. Without one, r stays as it is.
func (s *settings) ropeOf(kind string, r *Rope, context int) {
	kinds := &settings{file: File{Kind: Folder, Settings: s.nested(key{"rope_parameters", ""})}}
	object := kinds.nested(key{kind, ""})
	err := kinds.err
	if object != nil {
		in := &settings{file: File{Kind: Folder, Settings: object}}
		err = in.scaledBy(r, context, context)
	}
	if s.err == nil && err != nil {
		s.err = fmt.Errorf("rope_parameters for %s: %w", kind, err)
	}
}

// scaledBy reads an object of rope_scaling's form. original is the original context of one that tells none.
func (s *settings) scaledBy(r *Rope, original, context int) error {
	s.scaled(r, original, context)
	if s.err != nil {
		return fmt.Errorf("rope scaling: %w", s.err)
	}
	return nil
}

func (s *settings) scaled(r *Rope, original, context int) {
	r.Theta = s.number(key{"rope_theta", ""}, r.Theta)
	kind := cmp.Or(s.text(key{"rope_type", ""}), s.text(key{"type", ""}), "default")
	if kind == "default" {
		return
	}
	r.Original = cmp.Or(s.whole(key{"original_max_position_embeddings", ""}, 0), original)
	r.Factor = s.number(key{"factor", ""}, 0)
	r.Scale = s.number(key{"attention_factor", ""}, 0)
	switch kind {
	case "linear", "dynamic":
		r.Type, r.Scale = kind, 0
	case "llama3":
		r.Type, r.Scale = kind, 0
		r.Low, r.High = s.number(key{"low_freq_factor", ""}, 0), s.number(key{"high_freq_factor", ""}, 0)
	case "yarn":
		yarnFolder(s, r)
	case "longrope", "su":
		longRope(s, r, context)
		return // it needs no factor
	default:
		s.err = fmt.Errorf("rope scaling %s is %w; linear, dynamic, llama3, yarn and longrope are", excerpt(kind), ErrUnsupported)
		return
	}
	if s.err == nil && (!(r.Factor >= 1) || math.IsInf(r.Factor, 0)) {
		s.err = fmt.Errorf("its factor is %g", r.Factor)
	}
}

// yarnFolder reads what yarn has beside its factor.
func yarnFolder(s *settings, r *Rope) {
	r.Type = "yarn"
	r.BetaFast, r.BetaSlow = s.number(key{"beta_fast", ""}, 32), s.number(key{"beta_slow", ""}, 1)
	if cut, present := s.value(key{"truncate", ""}); present && cut != nil {
		r.IsUncut = !s.flag(key{"truncate", ""})
	}
	scale, all := s.number(key{"mscale", ""}, 1), s.number(key{"mscale_all_dim", ""}, 0)
	if r.Scale == 0 && (scale != 1 || all != 0) {
		r.Scale = yarnScale(r.Factor, scale) / yarnScale(r.Factor, all)
	}
}

// yarnScale is the factor of attention for a stretch (Peng et al., YaRN, section 3.4), as DeepSeek weights it.
func yarnScale(factor, weight float64) float64 {
	if factor <= 1 {
		return 1
	}
	return 0.1*weight*math.Log(factor) + 1
}
