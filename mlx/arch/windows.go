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
