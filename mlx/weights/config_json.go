package weights

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/agent-memory/agent-memory/mlx/arch"
)

// describeJSON reads a Hugging Face config.json.
func describeJSON(raw []byte) (arch.Family, arch.Config, error) {
	file := arch.File{Kind: arch.Folder}
	if err := json.Unmarshal(raw, &file.Settings); err != nil {
		return arch.Family{}, arch.Config{}, err
	}
	family, err := arch.Find(file)
	if err != nil {
		return family, arch.Config{}, err
	}
	if err := checkQuantisation(file.Settings["quantization"]); err != nil {
		return family, arch.Config{}, err
	}
	c, err := family.Describe(file)
	if err == nil {
		c.StopTokens, err = stopTokens(raw)
	}
	return family, c, err
}

// checkQuantisation refuses MLX's quantisations other than the affine ones, for all layers or for some.
func checkQuantisation(v any) error {
	settings, _ := v.(map[string]any)
	if mode, ok := settings["mode"].(string); ok && mode != "affine" {
		return fmt.Errorf("MLX's quantisation %q is %w; affine is", mode, ErrUnsupported)
	}
	for _, layer := range settings {
		if err := checkQuantisation(layer); err != nil {
			return err
		}
	}
	return nil
}

// addGenerationEnds adds the tokens at which the folder's generation_config.json, if there is one, ends an
// answer.
func addGenerationEnds(folder string, c *arch.Config) error {
	raw, err := os.ReadFile(filepath.Join(folder, "generation_config.json"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	stop, err := stopTokens(raw)
	c.StopTokens = append(c.StopTokens, stop...)
	return err
}

// stopTokens reads eos_token_id: a number, a list or null.
func stopTokens(config []byte) ([]int32, error) {
	var j struct {
		EOS json.RawMessage `json:"eos_token_id"`
	}
	if err := json.Unmarshal(config, &j); err != nil {
		return nil, err
	}
	var list []int32
	if len(j.EOS) == 0 || json.Unmarshal(j.EOS, &list) == nil {
		return list, nil
	}
	var id int32
	if err := json.Unmarshal(j.EOS, &id); err != nil {
		return nil, fmt.Errorf("eos_token_id: %w", err)
	}
	return []int32{id}, nil
}
