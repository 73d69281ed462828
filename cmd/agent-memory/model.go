package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/agent-memory/agent-memory/mlx/chat"
	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/model"
	"github.com/agent-memory/agent-memory/mlx/tokenizer"
	"github.com/agent-memory/agent-memory/mlx/weights"
	"github.com/agent-memory/agent-memory/modules/messages"
	"github.com/agent-memory/agent-memory/platform/config"
)

// locate finds the model that the settings name: a path, or a repository that is fetched first.
func locate(ctx context.Context, cfg config.Config, progress func(string, float64)) (string, error) {
	if _, err := os.Stat(cfg.MLX.ModelID); err == nil {
		return cfg.MLX.ModelID, nil
	}
	return weights.Fetch(ctx, weights.Hub{
		Endpoint: os.Getenv("HF_ENDPOINT"), Token: os.Getenv("HF_TOKEN"),
		Folder: filepath.Join(cfg.Agent.CacheDir, "models"),
		Progress: func(file string, share float64) {
			progress("downloading "+file, share)
		},
	}, cfg.MLX.ModelID)
}

// openModel loads the model at path.
func openModel(cfg config.MLX, path string, progress func(phase string, done float64)) (engine.Model, error) {
	w, err := weights.Open(path)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	progress("naming the weights", 0)
	digest, err := weights.Digest(path)
	if err != nil {
		return nil, err
	}
	return model.Open(model.Config{Weights: w, Digest: digest, KVBits: cfg.KVBits, Device: cfg.Device, Dtype: cfg.DType, ISA: cfg.CPUISA, Progress: progress})
}

// openText loads the tokenizer and the chat template of the model at path.
func openText(path string) (messages.Prompter, error) {
	w, err := weights.Open(path)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	load := folderText
	if w.GGUF != nil {
		load = ggufText
	}
	t, source, err := load(w)
	if err != nil {
		return nil, err
	}
	if source == "" {
		return nil, errors.New("the model has no chat template; choose one that was tuned for conversations (instruct or chat)")
	}
	template, err := chat.Parse(source)
	if err != nil {
		return nil, fmt.Errorf("chat template: %w", err)
	}
	return newPrompter(t, template), nil
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
