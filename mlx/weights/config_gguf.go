package weights

import (
	"fmt"
	"strings"

	"github.com/agent-memory/agent-memory/mlx/arch"
)

// openGGUF maps a GGUF file and names its tensors canonically.
func openGGUF(path string) (*Model, error) {
	data, closeFile, err := mapFile(path)
	if err != nil {
		return nil, err
	}
	m, err := modelOfGGUF(data)
	if err != nil {
		_ = closeFile() // the first error tells
		return nil, err
	}
	m.close = closeFile
	return m, nil
}

func modelOfGGUF(data []byte) (*Model, error) {
	g, err := ParseGGUF(data)
	if err != nil {
		return nil, err
	}
	family, config, err := g.describe()
	if err != nil {
		return nil, err
	}
	m := &Model{Config: config, GGUF: g, tensors: map[string]Tensor{}, close: func() error { return nil }}
	names := family.NamesIn(arch.GGUF)
	for name, t := range g.Tensors {
		if err := m.addGGUF(names, name, t); err != nil {
			return nil, err
		}
	}
	return m, m.splitFused(family.Fused)
}

// addGGUF keeps a tensor under its canonical name, if the model has it.
func (m *Model) addGGUF(names arch.Names, name string, t Tensor) error {
	module, part := splitLast(name)
	switch c := names.Canonical(module); {
	case c == "" && strings.HasPrefix(name, "blk.") && strings.Contains(name, "_exps"):
		return fmt.Errorf("tensor %s: experts are %w in models of %s", name, ErrUnsupported, m.Config.Family)
	case part == "bias":
		return m.addBias(c, t)
	case c != "" && part == "weight":
		m.tensors[c] = t
	}
	return nil
}

// describe reads the keys of the file's architecture.
func (g *GGUF) describe() (arch.Family, arch.Config, error) {
	file := g.file()
	family, err := arch.Find(file)
	if err != nil {
		return family, arch.Config{}, err
	}
	if t, ok := g.Tensors["token_embd.weight"]; ok {
		file.Vocabulary = t.Shape[0]
	}
	for name, factors := range map[string]*[]float32{
		"rope_freqs.weight": &file.RopeFactors, "rope_factors_short.weight": &file.ShortRopeFactors,
		"rope_factors_long.weight": &file.LongRopeFactors,
	} {
		if *factors, err = g.row(name); err != nil {
			return family, arch.Config{}, err
		}
	}
	c, err := family.Describe(file)
	c.StopTokens = g.stopTokens()
	return family, c, err
}

// row is a tensor of one row of F32, nil for none.
func (g *GGUF) row(name string) ([]float32, error) {
	t, ok := g.Tensors[name]
	if !ok {
		return nil, nil
	}
	if t.Type != F32 || len(t.Shape) != 1 {
		return nil, fmt.Errorf("%s is %s %v, expected one row of F32", name, t.Type, t.Shape)
	}
	return floats32(t.Data), nil
}

// file is what the metadata tell; the tensors are not read yet.
func (g *GGUF) file() arch.File {
	return arch.File{Kind: arch.GGUF, Settings: g.Metadata, HasTensor: func(name string) bool {
		_, ok := g.Tensors[name]
		return ok
	}}
}

// stopTokens are the ends of a text, of a turn and of a message that the file names. Which further tokens end
// an answer follows from the vocabulary and the chat template.
func (g *GGUF) stopTokens() (stop []int32) {
	for _, end := range []string{"eos", "eot", "eom"} {
		if id, ok := g.Uint("tokenizer.ggml." + end + "_token_id"); ok {
			stop = append(stop, int32(id))
		}
	}
	return stop
}
