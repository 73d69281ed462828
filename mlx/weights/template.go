package weights

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// ChatTemplate finds a folder's chat template: chat_template.jinja, or the one (or the one named default) of
// tokenizer_config.json. It is empty when there is none.
func ChatTemplate(folder string, tokenizerConfig []byte) (string, error) {
	if raw, err := os.ReadFile(filepath.Join(folder, "chat_template.jinja")); err == nil {
		return string(raw), nil
	}
	var c struct {
		Template json.RawMessage `json:"chat_template"`
	}
	if err := json.Unmarshal(tokenizerConfig, &c); err != nil {
		return "", fmt.Errorf("tokenizer_config.json: %w", err)
	}
	var one string
	if len(c.Template) == 0 || json.Unmarshal(c.Template, &one) == nil {
		return one, nil
	}
	var named []struct{ Name, Template string }
	if err := json.Unmarshal(c.Template, &named); err != nil {
		return "", fmt.Errorf("tokenizer_config.json: chat_template: %w", err)
	}
	for _, t := range named {
		if t.Name == "default" {
			return t.Template, nil
		}
	}
	return "", nil
}
