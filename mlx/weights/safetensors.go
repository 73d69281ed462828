package weights

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/agent-memory/agent-memory/mlx/arch"
)

// ParseSafetensors reads the header of a safetensors file; tensors' data are slices of data. Format: 8 bytes
// of length, a JSON header of that length, then the tensors (github.com/huggingface/safetensors).
func ParseSafetensors(data []byte) (map[string]Tensor, error) {
	if len(data) < 8 {
		return nil, errors.New("not a safetensors file: shorter than 8 bytes")
	}
	n := binary.LittleEndian.Uint64(data)
	if n > uint64(len(data)-8) || n > 100<<20 {
		return nil, fmt.Errorf("not a safetensors file, or a truncated one: its header would be %d bytes long", n)
	}
	var header map[string]json.RawMessage
	if err := json.Unmarshal(data[8:8+n], &header); err != nil {
		return nil, fmt.Errorf("read the safetensors header: %w", err)
	}
	body, out := data[8+n:], map[string]Tensor{}
	for name, raw := range header {
		if name == "__metadata__" {
			continue
		}
		t, err := safetensor(name, raw, body)
		if err != nil {
			return nil, err
		}
		out[name] = t
	}
	return out, nil
}

func safetensor(name string, raw json.RawMessage, body []byte) (Tensor, error) {
	var info struct {
		Dtype   string    `json:"dtype"`
		Shape   []int     `json:"shape"`
		Offsets [2]uint64 `json:"data_offsets"`
	}
	if err := json.Unmarshal(raw, &info); err != nil {
		return Tensor{}, fmt.Errorf("tensor %s: %w", name, err)
	}
	kinds := map[string]Type{"F32": F32, "F16": F16, "BF16": BF16, "U32": U32}
	kind, ok := kinds[info.Dtype]
	if !ok {
		return Tensor{}, fmt.Errorf("tensor %s has type %s, which is %w; F32, F16, BF16 and U32 are", name, info.Dtype, ErrUnsupported)
	}
	if info.Offsets[0] > info.Offsets[1] || info.Offsets[1] > uint64(len(body)) {
		return Tensor{}, fmt.Errorf("tensor %s lies behind the end of the file; it may be an incomplete download", name)
	}
	t := Tensor{Name: name, Type: kind, Shape: info.Shape, Data: body[info.Offsets[0]:info.Offsets[1]:info.Offsets[1]]}
	return t, t.checkSize(uint64(len(t.Data)))
}

// openFolder reads config.json and the safetensors of a Hugging Face checkpoint.
func openFolder(folder string) (*Model, error) {
	raw, err := os.ReadFile(filepath.Join(folder, "config.json"))
	if err != nil {
		return nil, err
	}
	family, config, err := describeJSON(raw)
	if err != nil {
		return nil, fmt.Errorf("config.json: %w", err)
	}
	if err := addGenerationEnds(folder, &config); err != nil {
		return nil, fmt.Errorf("generation_config.json: %w", err)
	}
	files, err := shards(folder)
	if err != nil {
		return nil, err
	}
	m := &Model{Config: config, Folder: folder, tensors: map[string]Tensor{}, affine: map[string]*affine{}}
	err = m.mapShards(files, family.NamesIn(arch.Folder))
	if err == nil {
		err = m.splitFused(family.Fused)
	}
	if err != nil {
		_ = m.close() // the first error tells
		return nil, err
	}
	return m, nil
}

// mapShards maps the files and names their tensors canonically. m.close undoes it, whole or not.
func (m *Model) mapShards(files []string, names arch.Names) error {
	var closers []func() error
	m.close = func() error {
		var all []error
		for _, c := range closers {
			all = append(all, c())
		}
		return errors.Join(all...)
	}
	for _, file := range files {
		data, closeFile, err := mapFile(file)
		if err == nil {
			closers = append(closers, closeFile)
			err = m.addShard(data, names)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(file), err)
		}
	}
	for name, a := range m.affine {
		if err := a.check(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (m *Model) addShard(data []byte, names arch.Names) error {
	tensors, err := ParseSafetensors(data)
	if err != nil {
		return err
	}
	for name, t := range tensors {
		module, part := splitLast(name)
		if names.OfAnotherPart(module) {
			continue
		}
		if err := m.addFolder(names.Canonical(module), part, t); err != nil {
			return err
		}
	}
	return nil
}

// addFolder keeps a part of a module under its canonical name, if the model has it.
func (m *Model) addFolder(name, part string, t Tensor) error {
	switch {
	case part == "bias":
		return m.addBias(name, t)
	case name == "" || name == "head" && m.Config.Tied:
	case part == "weight" && t.Type != U32:
		m.tensors[name] = t
	default:
		if m.affine[name] == nil {
			m.affine[name] = &affine{}
		}
		m.affine[name].setPart(part, t)
	}
	return nil
}

// addBias keeps what is added to a product, and refuses one that no layer adds.
func (m *Model) addBias(name string, t Tensor) error {
	if !m.Config.HasBias(name) {
		return fmt.Errorf("tensor %s: this bias is %w", t.Name, ErrUnsupported)
	}
	m.tensors[name+".bias"] = t
	return nil
}

// shards lists the files of the index, or the single file.
func shards(folder string) ([]string, error) {
	raw, err := os.ReadFile(filepath.Join(folder, "model.safetensors.index.json"))
	if errors.Is(err, os.ErrNotExist) {
		return []string{filepath.Join(folder, "model.safetensors")}, nil
	}
	if err != nil {
		return nil, err
	}
	var index struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(raw, &index); err != nil {
		return nil, fmt.Errorf("model.safetensors.index.json: %w", err)
	}
	seen, files := map[string]bool{}, []string{}
	for _, f := range index.WeightMap {
		if f != filepath.Base(f) {
			return nil, fmt.Errorf("model.safetensors.index.json names %q, which is outside the folder", f)
		}
		if !seen[f] {
			seen[f] = true
			files = append(files, filepath.Join(folder, f))
		}
	}
	return files, nil
}

// splitLast cuts a name at its last dot.
func splitLast(name string) (module, part string) {
	at := strings.LastIndexByte(name, '.')
	return name[:max(at, 0)], name[at+1:]
}

func floats32(data []byte) []float32 {
	out := make([]float32, len(data)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return out
}
