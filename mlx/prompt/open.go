package prompt

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/agent-memory/agent-memory/mlx/chat"
	"github.com/agent-memory/agent-memory/mlx/tokenizer"
	"github.com/agent-memory/agent-memory/mlx/weights"
)

// Open loads the tokenizer and the chat template of the model at path. Chosen is a template to be used
// instead of the model's own: a file, or the name of a family; empty for none.
func Open(path, chosen string) (*Renderer, error) {
	w, err := weights.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = w.Close() }() // it was only read
	load := folderText
	if w.GGUF != nil {
		load = ggufText
	}
	t, source, err := load(w)
	if err != nil {
		return nil, err
	}
	if source, err = chooseTemplate(chosen, source, t); err != nil {
		return nil, err
	}
	template, err := chat.Parse(source)
	if err != nil {
		return nil, fmt.Errorf("chat template: %w", err)
	}
	return New(t, template), nil
}

// chooseTemplate is the template that was chosen, else the model's own, else that of the family whose marks
// the vocabulary has.
func chooseTemplate(chosen, own string, t *tokenizer.Tokenizer) (string, error) {
	if source, ok := chat.Family(chosen); ok {
		return source, nil
	}
	if chosen != "" {
		source, err := os.ReadFile(chosen)
		if err != nil {
			return "", fmt.Errorf("SEMANTIC_MLX_CHAT_TEMPLATE: %w; give a file, or one of %s", err, strings.Join(chat.Families(), ", "))
		}
		return string(source), nil
	}
	if own != "" {
		return own, nil
	}
	family := chat.FamilyOf(func(token string) bool {
		id, ok := t.TokenID(token)
		return ok && t.IsSpecial(id)
	})
	if source, ok := chat.Family(family); ok {
		return source, nil
	}
	return "", fmt.Errorf("the model has no chat template, and its vocabulary has no family's marks of turns; "+
		"choose a model that was tuned for conversations, or set SEMANTIC_MLX_CHAT_TEMPLATE to a file or one of %s", strings.Join(chat.Families(), ", "))
}

// ggufText takes both from a GGUF file's metadata.
func ggufText(w *weights.Model) (*tokenizer.Tokenizer, string, error) {
	g := w.GGUF
	v := tokenizer.Vocabulary{
		Model: g.Text("tokenizer.ggml.model"), Pre: g.Text("tokenizer.ggml.pre"),
		Tokens: g.Texts("tokenizer.ggml.tokens"), Scores: g.Floats("tokenizer.ggml.scores"),
		Types: g.Ints("tokenizer.ggml.token_type"), Merges: g.Texts("tokenizer.ggml.merges"),
		BOS: g.Token("tokenizer.ggml.bos_token_id"), EOS: g.Token("tokenizer.ggml.eos_token_id"),
		UNK:    g.Token("tokenizer.ggml.unknown_token_id"),
		AddBOS: g.Flag("tokenizer.ggml.add_bos_token", false), AddEOS: g.Flag("tokenizer.ggml.add_eos_token", false),
		AddSpacePrefix: g.Flag("tokenizer.ggml.add_space_prefix", true),
	}
	t, err := tokenizer.FromGGUF(v)
	return t, g.Text("tokenizer.chat_template"), err
}

// folderText takes both from the files of a Hugging Face folder.
func folderText(w *weights.Model) (*tokenizer.Tokenizer, string, error) {
	data, err := os.ReadFile(filepath.Join(w.Folder, "tokenizer.json"))
	if err != nil {
		return nil, "", err
	}
	settings, err := os.ReadFile(filepath.Join(w.Folder, "tokenizer_config.json"))
	if err != nil {
		return nil, "", err
	}
	t, err := tokenizer.FromJSONWithConfig(data, settings)
	if err != nil {
		return nil, "", err
	}
	source, err := weights.ChatTemplate(w.Folder, settings)
	return t, source, err
}
