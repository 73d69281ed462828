package chat

// families are chat templates for models whose files bring none, by the marks that their vocabularies have
// for turns. Each is written after the format that the family's makers describe.
var families = []struct {
	name   string
	marks  []string // special tokens that the template writes
	source string
}{
	{"chatml", []string{"<|im_start|>", "<|im_end|>"},
		`{%- for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor -%}` +
			`{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}`},
	{"llama3", []string{"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"},
		`{{- bos_token }}{%- for m in messages %}{{ '<|start_header_id|>' + m.role + '<|end_header_id|>\n\n' + m.content | trim + '<|eot_id|>' }}{% endfor -%}` +
			`{%- if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}`},
	{"gemma", []string{"<start_of_turn>", "<end_of_turn>"},
		`{{- bos_token }}{%- for m in messages %}{% if m.role == 'system' %}{{ raise_exception('turns of the system are not known') }}{% endif %}` +
			`{% if (m.role == 'assistant') != (loop.index0 % 2 == 1) %}{{ raise_exception('turns must alternate') }}{% endif %}` +
			`{{ '<start_of_turn>' + ('model' if m.role == 'assistant' else m.role) + '\n' + m.content | trim + '<end_of_turn>\n' }}{% endfor -%}` +
			`{%- if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}`},
	{"phi3", []string{"<|user|>", "<|assistant|>", "<|end|>"},
		`{%- for m in messages %}{{ '<|' + m.role + '|>\n' + m.content + '<|end|>\n' }}{% endfor -%}` +
			`{%- if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}`},
	{"mistral", []string{"[INST]", "[/INST]"},
		`{{- bos_token }}{%- for m in messages %}{% if m.role == 'system' %}{{ raise_exception('turns of the system are not known') }}{% endif %}` +
			`{% if (m.role == 'assistant') != (loop.index0 % 2 == 1) %}{{ raise_exception('turns must alternate') }}{% endif %}` +
			`{{ '[INST] ' + m.content + ' [/INST]' if m.role == 'user' else ' ' + m.content | trim + eos_token }}{% endfor %}`},
}

// Families are the names of the templates that this package brings.
func Families() (names []string) {
	for _, family := range families {
		names = append(names, family.name)
	}
	return names
}

// Family returns the template of a family.
func Family(name string) (source string, ok bool) {
	for _, family := range families {
		if family.name == name {
			return family.source, true
		}
	}
	return "", false
}

// FamilyOf is the family whose marks a vocabulary has as special tokens, or "" if it has none's.
func FamilyOf(isSpecial func(token string) bool) string {
	for _, family := range families {
		has := true
		for _, mark := range family.marks {
			has = has && isSpecial(mark)
		}
		if has {
			return family.name
		}
	}
	return ""
}
