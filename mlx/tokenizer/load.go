package tokenizer

// Reading tokenizer.json. Every object is decoded strictly: a field or a component that is not known here
// fails the load and is named in the error.

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

type fileJSON struct {
	Version       string          `json:"version"`
	Truncation    json.RawMessage `json:"truncation"` // a matter of training, not of serving
	Padding       json.RawMessage `json:"padding"`
	AddedTokens   []addedToken    `json:"added_tokens"`
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Decoder       json.RawMessage `json:"decoder"`
	Model         modelJSON       `json:"model"`
}

type modelJSON struct {
	Type         string           `json:"type"`
	Dropout      *float64         `json:"dropout"`
	Unk          *string          `json:"unk_token"`
	Continuing   *string          `json:"continuing_subword_prefix"`
	EndOfWord    *string          `json:"end_of_word_suffix"`
	FuseUnk      bool             `json:"fuse_unk"`
	ByteFallback bool             `json:"byte_fallback"`
	IgnoreMerges bool             `json:"ignore_merges"`
	Vocab        map[string]int32 `json:"vocab"`
	Merges       []mergeJSON      `json:"merges"`
}

// mergeJSON is a merge as "left right" or as ["left", "right"].
type mergeJSON [2]string

func (m *mergeJSON) UnmarshalJSON(data []byte) error {
	if len(data) == 0 || data[0] != '"' {
		var parts []string
		if err := json.Unmarshal(data, &parts); err != nil || len(parts) != 2 {
			return fmt.Errorf("merge %.80s is neither a string nor a pair", data)
		}
		*m = mergeJSON(parts)
		return nil
	}
	var line string
	if err := json.Unmarshal(data, &line); err != nil {
		return err
	}
	return m.parse(line)
}

func (m *mergeJSON) parse(line string) error {
	left, right, ok := strings.Cut(line, " ")
	if !ok || left == "" || right == "" || strings.Contains(right, " ") {
		return fmt.Errorf("merge %.80q is not two tokens with a space between", line)
	}
	*m = mergeJSON{left, right}
	return nil
}

// FromJSON reads a tokenizer.json. That file does not say which tokens begin and end a text: BOS is the token
// that its post-processing puts first, if any, and EOS is unknown (see FromJSONWithConfig).
func FromJSON(data []byte) (*Tokenizer, error) {
	var f fileJSON
	if err := decodeStrict(data, &f); err != nil {
		return nil, fmt.Errorf("read tokenizer.json: %w", err)
	}
	t, err := f.build()
	if err != nil {
		return nil, fmt.Errorf("load tokenizer.json: %w", err)
	}
	return t, nil
}

// FromJSONWithConfig reads a tokenizer.json and takes BOS and EOS from the tokenizer_config.json beside it.
func FromJSONWithConfig(data, config []byte) (*Tokenizer, error) {
	t, err := FromJSON(data)
	if err != nil {
		return nil, err
	}
	var c struct {
		BOS configToken `json:"bos_token"`
		EOS configToken `json:"eos_token"`
	}
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, fmt.Errorf("read tokenizer_config.json: %w", err)
	}
	if id, ok := t.TokenID(string(c.BOS)); ok && c.BOS != "" {
		t.bos = id
	}
	if id, ok := t.TokenID(string(c.EOS)); ok && c.EOS != "" {
		t.eos = id
	}
	return t, nil
}

// configToken is a token as a string, as an object with its content, or null.
type configToken string

func (c *configToken) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '{' {
		var object struct {
			Content string `json:"content"`
		}
		err := json.Unmarshal(data, &object)
		*c = configToken(object.Content)
		return err
	}
	return json.Unmarshal(data, (*string)(c))
}

func decodeStrict(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

func (f *fileJSON) build() (*Tokenizer, error) {
	pre, err := parsePreTokenizer(f.PreTokenizer)
	if err != nil {
		return nil, fmt.Errorf("pre_tokenizer: %w", err)
	}
	normalize, err := parseNormalizer(f.Normalizer)
	if err != nil {
		return nil, fmt.Errorf("normalizer: %w", err)
	}
	decoder, err := parseDecoder(f.Decoder)
	if err != nil {
		return nil, fmt.Errorf("decoder: %w", err)
	}
	prefix, suffix, err := parsePostProcessor(f.PostProcessor)
	if err != nil {
		return nil, fmt.Errorf("post_processor: %w", err)
	}
	model, err := f.Model.build(pre.byteLevel)
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	t := &Tokenizer{model: model, normalize: normalize, split: pre.splitter, decoder: decoder, prefix: prefix, suffix: suffix}
	return t, t.finish(f.AddedTokens)
}

func (m *modelJSON) build(byteLevel bool) (*bpe, error) {
	switch {
	case m.Type != "" && m.Type != "BPE":
		return nil, fmt.Errorf("type %q is not supported: only BPE is", m.Type)
	case m.Dropout != nil && *m.Dropout != 0:
		return nil, fmt.Errorf("dropout %v is not supported", *m.Dropout)
	case m.Continuing != nil && *m.Continuing != "":
		return nil, fmt.Errorf("continuing_subword_prefix %q is not supported", *m.Continuing)
	case m.EndOfWord != nil && *m.EndOfWord != "":
		return nil, fmt.Errorf("end_of_word_suffix %q is not supported", *m.EndOfWord)
	}
	b := &bpe{vocab: m.Vocab, byteLevel: byteLevel, unk: -1, fuseUnk: m.FuseUnk,
		byteFallback: m.ByteFallback, ignoreMerges: m.IgnoreMerges}
	if m.Unk != nil {
		id, ok := m.Vocab[*m.Unk]
		if !ok {
			return nil, fmt.Errorf("unk_token %q is not in the vocabulary", *m.Unk)
		}
		b.unk = id
	}
	if err := b.addMerges(m.Merges); err != nil {
		return nil, err
	}
	b.prepare()
	return b, nil
}

// addMerges ranks merges by their place in the list.
func (m *bpe) addMerges(merges []mergeJSON) error {
	m.merges = make(map[pair]merge, len(merges))
	for rank, parts := range merges {
		left, hasLeft := m.vocab[parts[0]]
		right, hasRight := m.vocab[parts[1]]
		id, hasBoth := m.vocab[parts[0]+parts[1]]
		if !hasLeft || !hasRight || !hasBoth {
			return fmt.Errorf("merge %d of %.40q and %.40q: not all three tokens are in the vocabulary", rank, parts[0], parts[1])
		}
		m.merges[pair{left, right}] = merge{int32(rank), id}
	}
	return nil
}
