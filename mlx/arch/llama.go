package arch

// llama is Llama 1 to 3 and what has its form, SmolLM2 for one (Touvron et al., LLaMA, 2023).
func llama() Family {
	return Family{
		ModelType: "llama", GGUF: "llama", PairedQK: true,
		Names:      []Name{{"ffn_norm", "post_attention_layernorm", "ffn_norm"}},
		Activation: SiLU, ActivationNames: []string{"silu"},
	}
}
