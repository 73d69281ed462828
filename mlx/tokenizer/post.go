package tokenizer

// Post-processors and decoders of a tokenizer.json.

import (
	"encoding/json"
	"errors"
	"fmt"
)

type templateJSON struct {
	Type          string                     `json:"type"`
	Processors    []json.RawMessage          `json:"processors"`
	Single        []map[string]templatePiece `json:"single"`
	Pair          json.RawMessage            `json:"pair"` // texts come alone
	SpecialTokens map[string]templateToken   `json:"special_tokens"`
	PrefixSpace   *bool                      `json:"add_prefix_space"`
	TrimOffsets   *bool                      `json:"trim_offsets"`
	UseRegex      *bool                      `json:"use_regex"`
}

type templatePiece struct {
	ID     string `json:"id"`
	TypeID int    `json:"type_id"`
}

type templateToken struct {
	ID     string   `json:"id"`
	IDs    []int32  `json:"ids"`
	Tokens []string `json:"tokens"`
}

// parsePostProcessor returns the ids that belong before and after a text.
func parsePostProcessor(data json.RawMessage) (prefix, suffix []int32, err error) {
	if isNull(data) {
		return nil, nil, nil
	}
	var f templateJSON
	if err := decodeStrict(data, &f); err != nil {
		return nil, nil, err
	}
	switch f.Type {
	case "ByteLevel": // concerns offsets only
		return nil, nil, nil
	case "TemplateProcessing":
		return f.around()
	case "Sequence":
		for _, each := range f.Processors {
			before, after, err := parsePostProcessor(each)
			if err != nil {
				return nil, nil, err
			}
			prefix, suffix = append(before, prefix...), append(suffix, after...)
		}
		return prefix, suffix, nil
	}
	return nil, nil, fmt.Errorf("type %q is not supported", f.Type)
}

func (f *templateJSON) around() (prefix, suffix []int32, err error) {
	texts := 0
	for _, piece := range f.Single {
		_, isText := piece["Sequence"]
		special, isSpecial := piece["SpecialToken"]
		token, known := f.SpecialTokens[special.ID]
		switch {
		case len(piece) == 1 && isText:
			texts++
		case len(piece) != 1 || !isSpecial || !known:
			return nil, nil, fmt.Errorf("TemplateProcessing: piece %v is not supported", piece)
		case texts == 0:
			prefix = append(prefix, token.IDs...)
		default:
			suffix = append(suffix, token.IDs...)
		}
	}
	if texts != 1 {
		return nil, nil, fmt.Errorf("TemplateProcessing: the text must occur once, it does %d times", texts)
	}
	return prefix, suffix, nil
}

type decoderJSON struct {
	Type          string            `json:"type"`
	Decoders      []json.RawMessage `json:"decoders"`
	Pattern       patternJSON       `json:"pattern"`
	Content       string            `json:"content"`
	Start         int               `json:"start"`
	Stop          int               `json:"stop"`
	Replacement   string            `json:"replacement"`
	StrRep        string            `json:"str_rep"`
	PrependScheme string            `json:"prepend_scheme"`
	Split         *bool             `json:"split"`
	PrefixSpace   *bool             `json:"add_prefix_space"`
	TrimOffsets   *bool             `json:"trim_offsets"`
	UseRegex      *bool             `json:"use_regex"`
}

func parseDecoder(data json.RawMessage) (decoder, error) {
	_, toByte := byteAlphabet()
	d := decoder{toByte: toByte}
	if isNull(data) {
		return d, errors.New("there is none: tokens could not be joined to text")
	}
	var f decoderJSON
	if err := decodeStrict(data, &f); err != nil {
		return d, err
	}
	list := []json.RawMessage{data}
	if f.Type == "Sequence" {
		list = f.Decoders
	}
	if err := new(steps).add(len(list)); err != nil {
		return d, err
	}
	stage := 0
	for _, step := range list {
		next, err := d.addStep(step, stage)
		if err != nil {
			return d, err
		}
		stage = next
	}
	if len(list) > 1 && d.byteLevel {
		return d, errors.New("ByteLevel must be alone")
	}
	return d, checkGrowth(&d)
}

// The order in which steps of a decoder may stand; each of them streams in this order only.
const (
	stageReplace = iota
	stageBytes
	stageFuse
	stageStrip
)

func (d *decoder) addStep(data json.RawMessage, stage int) (int, error) {
	var f decoderJSON
	if err := decodeStrict(data, &f); err != nil {
		return 0, err
	}
	at := map[string]int{"ByteLevel": stageReplace, "Replace": stageReplace, "Metaspace": stageReplace,
		"ByteFallback": stageBytes, "Fuse": stageFuse, "Strip": stageStrip}
	next, known := at[f.Type]
	if !known {
		return 0, fmt.Errorf("type %q is not supported", f.Type)
	}
	if next < stage || next == stageStrip && stage != stageFuse {
		return 0, fmt.Errorf("%s is not supported at this place of the sequence", f.Type)
	}
	return next, d.apply(f)
}

func (d *decoder) apply(f decoderJSON) error {
	switch f.Type {
	case "ByteLevel":
		d.byteLevel = true
	case "Replace":
		p, err := f.Pattern.parse()
		d.replaces = append(d.replaces, replace{p, f.Content})
		return err
	case "Metaspace":
		d.metaspace = f.Replacement
		d.dropFirstMarks = f.PrependScheme != "never" && (f.PrependScheme != "" || f.PrefixSpace == nil || *f.PrefixSpace)
	case "ByteFallback":
		d.byteFallback = true
	case "Strip":
		runes := []rune(f.Content)
		if f.Stop != 0 || len(runes) != 1 || f.Start < 0 {
			return fmt.Errorf("Strip of %q from the end (%d) is not supported", f.Content, f.Stop)
		}
		d.strip, d.maxStrip = runes[0], f.Start
	}
	return nil
}
