package weights

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
)

// ParseSafetensors reads the header of a safetensors file; tensors' data are slices of data.
// Format: 8 bytes of length, a JSON header of that length, then the tensors (github.com/huggingface/safetensors).
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
	return t, t.sized(uint64(len(t.Data)))
}

// openFolder reads config.json and the safetensors of a Hugging Face checkpoint.
func openFolder(folder string) (*Model, error) {
	raw, err := os.ReadFile(filepath.Join(folder, "config.json"))
	if err != nil {
		return nil, err
	}
	config, tied, err := configOfJSON(raw)
	if err != nil {
		return nil, fmt.Errorf("config.json: %w", err)
	}
	files, err := shards(folder)
	if err != nil {
		return nil, err
	}
	m := &Model{Config: config, Folder: folder, tensors: map[string]Tensor{}, affine: map[string]*affine{}}
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
			err = m.addShard(data, tied)
		}
		if err != nil {
			m.close()
			return nil, fmt.Errorf("%s: %w", filepath.Base(file), err)
		}
	}
	for name, a := range m.affine {
		if err := a.complete(); err != nil {
			m.close()
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return m, nil
}

func (m *Model) addShard(data []byte, tied bool) error {
	tensors, err := ParseSafetensors(data)
	if err != nil {
		return err
	}
	for name, t := range tensors {
		if strings.HasSuffix(name, ".bias") {
			return fmt.Errorf("tensor %s: biases are %w", name, ErrUnsupported)
		}
		module, part := splitLast(name)
		c := canonicalHF(m.Config.Architecture, module)
		switch {
		case c == "" || c == "head" && tied:
		case part == "weight" && t.Type != U32:
			m.tensors[c] = t
		default:
			if m.affine[c] == nil {
				m.affine[c] = &affine{}
			}
			m.affine[c].put(part, t)
		}
	}
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

var hfParts = map[string]string{
	"self_attn.q_proj": "q", "self_attn.k_proj": "k", "self_attn.v_proj": "v", "self_attn.o_proj": "o",
	"mlp.gate_proj": "gate", "mlp.up_proj": "up", "mlp.down_proj": "down", "input_layernorm": "attn_norm",
}

// hfNorms are the norms whose names mean different things in different architectures.
var hfNorms = map[string]map[string]string{
	"llama": {"post_attention_layernorm": "ffn_norm"},
	"gemma2": {"post_attention_layernorm": "attn_post_norm", "pre_feedforward_layernorm": "ffn_norm",
		"post_feedforward_layernorm": "ffn_post_norm"},
}

// canonicalHF turns the module model.layers.3.self_attn.q_proj into layers.3.q.
func canonicalHF(architecture, module string) string {
	switch module {
	case "model.embed_tokens":
		return "embed"
	case "model.norm":
		return "norm"
	case "lm_head":
		return "head"
	}
	rest, ok := strings.CutPrefix(module, "model.layers.")
	layer, part, _ := strings.Cut(rest, ".")
	part = cmp.Or(hfParts[part], hfNorms[architecture][part])
	if !ok || part == "" {
		return ""
	}
	return "layers." + layer + "." + part
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
