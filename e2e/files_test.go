package e2e

import (
	"bytes"
	le "encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// variant is a copy of the embedded model's file with a change to its header.
func variant(t *testing.T, change func(header []byte)) string {
	t.Helper()
	raw, err := os.ReadFile(model)
	if err != nil {
		t.Fatal(err)
	}
	change(raw[:4<<20])
	path := filepath.Join(t.TempDir(), "variant.gguf")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// setToken changes a token id of the metadata: behind its key are the type, 4 bytes, and the number.
func setToken(key string, id uint32) func([]byte) {
	return func(header []byte) {
		le.LittleEndian.PutUint32(header[bytes.Index(header, []byte(key))+len(key)+4:], id)
	}
}

// rename makes a key of the metadata, or the name of a tensor, an unknown one.
func rename(key string) func([]byte) {
	return func(header []byte) { header[bytes.Index(header, []byte(key))+len(key)-1] = '_' }
}

// A chat model whose file names another token as the end of a text, or none, still ends its turns.
func TestAnAnswerEndsWhateverTheFileNamesAsItsEnd(t *testing.T) {
	for name, change := range map[string]func([]byte){
		"the end of a text": setToken("tokenizer.ggml.eos_token_id", 0), "no end": rename("tokenizer.ggml.eos_token_id"),
	} {
		s := start(t, "SEMANTIC_MLX_MODEL_ID="+variant(t, change))
		var answer struct {
			Content []struct{ Text string }
			Reason  string `json:"stop_reason"`
		}
		s.send(t, "", "/v1/messages", map[string]any{
			"model": "claude-3-5-sonnet-20241022", "max_tokens": 200, "temperature": 0, "messages": []said{{"user", "What is the capital of France?"}},
		}, &answer)
		if answer.Reason != "end_turn" || len(answer.Content) != 1 || strings.Contains(answer.Content[0].Text, "user") {
			t.Errorf("%s: the answer ends by %q: %q", name, answer.Reason, answer.Content)
		}
	}
}

// A file that would load and answer rubbish is refused in one line that says why.
func TestFilesThatWouldAnswerRubbishAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func([]byte)
		says   string
	}{
		"merges missing":      {rename("tokenizer.ggml.merges"), "merges are missing"},
		"token types missing": {rename("tokenizer.ggml.token_type"), "token types"},
		"an end out of range": {setToken("tokenizer.ggml.eos_token_id", 50000), "50000"},
		"token types of another type": {func(h []byte) {
			at := bytes.Index(h, []byte("tokenizer.ggml.token_type")) + len("tokenizer.ggml.token_type") + 4
			le.LittleEndian.PutUint32(h[at:], 6) // an array of floats of the same width
		}, "token types"},
		"an unaligned tensor": {func(h []byte) {
			at := bytes.Index(h, []byte("blk.3.attn_k.weight")) + len("blk.3.attn_k.weight") + 4 + 16 + 4
			le.LittleEndian.PutUint64(h[at:], le.LittleEndian.Uint64(h[at:])+1)
		}, "alignment"},
		"overlapping tensors": {func(h []byte) {
			at := bytes.Index(h, []byte("blk.3.attn_k.weight")) + len("blk.3.attn_k.weight") + 4 + 16 + 4
			le.LittleEndian.PutUint64(h[at:], le.LittleEndian.Uint64(h[at:])+32)
		}, "same bytes"},
		"another architecture with a type unknown here": {func(h []byte) {
			copy(h[bytes.Index(h, []byte("llama")):], "mamba")
			at := bytes.Index(h, []byte("blk.3.attn_k.weight")) + len("blk.3.attn_k.weight") + 4 + 16
			le.LittleEndian.PutUint32(h[at:], 12)
		}, `"mamba"`},
	} {
		command := exec.CommandContext(limited(t), binary, "serve")
		command.Env = append(os.Environ(), "SEMANTIC_AGENT_CACHE_DIR="+t.TempDir(), "SEMANTIC_SERVER_PORT=0",
			"SEMANTIC_SERVER_LOG_FILE="+filepath.Join(t.TempDir(), "log"), "SEMANTIC_MLX_MODEL_ID="+variant(t, c.change))
		out, err := command.CombinedOutput()
		last := strings.TrimSpace(string(out))
		last = last[strings.LastIndex(last, "\n")+1:]
		if err == nil || !strings.Contains(last, c.says) || !strings.Contains(last, "SEMANTIC_MLX_MODEL_ID") {
			t.Errorf("%s: %v, %q", name, err, out)
		}
	}
}
