package arch

import "fmt"

// windows gives a window to the layers that config.json's layer_types calls sliding.
func (s *settings) windows(c *Config, kinds []string, window int) {
	sliding := make([]bool, len(kinds))
	for i, kind := range kinds {
		sliding[i] = kind == "sliding_attention"
		if s.err == nil && !sliding[i] && kind != "full_attention" {
			s.err = fmt.Errorf("a layer of type %s is %w", excerpt(kind), ErrUnsupported)
		}
	}
	if s.err == nil && len(kinds) != len(c.Layers) {
		s.err = fmt.Errorf("layer_types has %d windows for %d layers", len(kinds), len(c.Layers))
	}
	for i := range c.Layers {
		if s.err == nil && sliding[i] {
			c.Layers[i].Window = window
		}
	}
}

// lateWindows gives a window, where config.json wants them, to the layers that layer_types names, or else from
// max_window_layers on.
func (s *settings) lateWindows(c *Config) {
	if !s.flag(key{"use_sliding_window", ""}) {
		return
	}
	window := s.optionalWhole(key{"sliding_window", ""}, 4096)
	if kinds := s.texts(key{"layer_types", ""}); len(kinds) > 0 {
		s.windows(c, kinds, window)
		return
	}
	for i := max(0, s.whole(key{"max_window_layers", ""}, 28)); i < len(c.Layers); i++ {
		c.Layers[i].Window = window
	}
}
