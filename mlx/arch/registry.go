package arch

import (
	"fmt"
	"strconv"
	"strings"
)

// Families are the architectures that are run, in the order in which messages name them.
func Families() []Family {
	return []Family{llama(), mistral(), gemma2(), gemma3(), phi3(), qwen2(), qwen3(), qwen3MoE(), smollm3()}
}

// Find is the family of a file: by config.json's model_type, or by a GGUF's general.architecture.
func Find(file File) (Family, error) {
	setting := "model_type"
	if file.Kind == GGUF {
		setting = "general.architecture"
	}
	name, _ := file.Settings[setting].(string)
	var families []string
	for _, f := range Families() {
		if f.nameIn(file.Kind) == "" {
			continue // the family is another one in such files
		}
		if name == f.nameIn(file.Kind) || name != "" && file.Kind == Folder && name == f.Nest.ModelType {
			return f, nil
		}
		families = append(families, f.nameIn(file.Kind))
	}
	last := len(families) - 1
	return Family{}, fmt.Errorf("the architecture %s is %w; %s and %s are",
		excerpt(name), ErrUnsupported, strings.Join(families[:last], ", "), families[last])
}

func (f Family) nameIn(kind Kind) string {
	if kind == GGUF {
		return f.GGUF
	}
	return f.ModelType
}

// LayerPrefix begins the canonical names of a layer's tensors.
func LayerPrefix(layer int) string { return "layers." + strconv.Itoa(layer) + "." }
