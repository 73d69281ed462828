"""Writes golden tokens of Gemma 3: what an implementation in NumPy, in float32, answers greedily to ten prompts.

usage: gemma3_tokens.py GGUF GOLDEN

The weights are the GGUF's, widened by the gguf package. The rules are those of the technical report and of Hugging
Face's transformers; nothing of mlx-lm, llama.cpp or this repository takes part. The tokenizer merges by score, as
SentencePiece does. Beside the tokens it writes the logits of the last prompt position, every STRIDE-th.
"""

import json
import sys

import gguf
import numpy as np

import gguf_metadata

PROMPTS = [
    "The capital of France is", "Once upon a time, in a small village by the sea,", "def fibonacci(n):\n    ",
    "The quick brown fox", "Water boils at a temperature of", "In 1969, the first humans",
    "The three primary colours are", "Q: How many legs does a spider have?\nA:", "import numpy as np\n\n# Compute the mean of",
]
# Longer than two windows of 512.
LONG = " ".join(f"In year {1900 + i} the village by the sea had {37 * i % 91 + 9} houses and {53 * i % 97 + 3} boats." for i in range(46))
TOKENS = 32
STRIDE = 997
PATTERN, LOCAL_BASE = 6, 10000.0


class Tokenizer:
    """SentencePiece's BPE: of all neighbours the pair whose piece has the highest score is merged first."""

    def __init__(self, metadata):
        # llama.cpp's converter writes spaces into the names of runs of them.
        self.pieces = [piece.replace(" ", "▁") for piece in metadata["tokenizer.ggml.tokens"]]
        self.ids = {piece: i for i, piece in enumerate(self.pieces)}
        self.scores = metadata["tokenizer.ggml.scores"]
        self.bos = metadata["tokenizer.ggml.bos_token_id"]

    def encode(self, text):
        parts = list(text.replace(" ", "▁"))
        while True:
            pairs = ((self.ids.get(a + b), i) for i, (a, b) in enumerate(zip(parts, parts[1:])))
            best = min(((-self.scores[piece], i) for piece, i in pairs if piece is not None), default=None)
            if best is None:
                return [self.bos, *(self.ids[part] for part in parts)]
            at = best[1]
            parts[at : at + 2] = [parts[at] + parts[at + 1]]

    def decode(self, ids):
        return "".join(self.pieces[i] for i in ids).replace("▁", " ")


def rms_norm(x, weight, eps):
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + np.float32(eps)) * weight


def gelu(x):
    return 0.5 * x * (1 + np.tanh(np.float32(np.sqrt(2 / np.pi)) * (x + np.float32(0.044715) * x * x * x)))


class Gemma3:
    def __init__(self, path, metadata):
        def get(name):
            return metadata["gemma3." + name]

        self.layers, self.heads, self.kv_heads = get("block_count"), get("attention.head_count"), get("attention.head_count_kv")
        self.dim, self.eps = get("attention.key_length"), get("attention.layer_norm_rms_epsilon")
        self.window, self.base = get("attention.sliding_window"), get("rope.freq_base")
        self.w = {
            t.name.removesuffix(".weight"): gguf.quants.dequantize(t.data, t.tensor_type).astype(np.float32).reshape(
                [int(d) for d in reversed(t.shape)])
            for t in gguf.GGUFReader(path).tensors
        }
        self.kv = [None] * self.layers

    def is_global(self, layer):
        return (layer + 1) % PATTERN == 0

    def rope(self, x, positions, base):
        """x is [rows, heads, dim]; the two halves of a head are rotated into each other."""
        half = self.dim // 2
        angle = positions[:, None] * base ** (-np.arange(half) / half)
        cos, sin = np.cos(angle).astype(np.float32)[:, None], np.sin(angle).astype(np.float32)[:, None]
        a, b = x[..., :half], x[..., half:]
        return np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)

    def attention(self, layer, x, start):
        p, rows = f"blk.{layer}.", len(x)
        positions = np.arange(start, start + rows)
        base = self.base if self.is_global(layer) else LOCAL_BASE
        q = (x @ self.w[p + "attn_q"].T).reshape(rows, self.heads, self.dim)
        k = (x @ self.w[p + "attn_k"].T).reshape(rows, self.kv_heads, self.dim)
        v = (x @ self.w[p + "attn_v"].T).reshape(rows, self.kv_heads, self.dim)
        q = self.rope(rms_norm(q, self.w[p + "attn_q_norm"], self.eps), positions, base)
        k = self.rope(rms_norm(k, self.w[p + "attn_k_norm"], self.eps), positions, base)
        if start > 0:
            k, v = np.concatenate([self.kv[layer][0], k]), np.concatenate([self.kv[layer][1], v])
        self.kv[layer] = k, v
        distance = positions[:, None] - np.arange(start + rows)[None]
        hidden = (distance < 0) | (not self.is_global(layer)) & (distance >= self.window)
        out = []
        for h in range(self.heads):
            of = h * self.kv_heads // self.heads
            scores = q[:, h] @ k[:, of].T * np.float32(self.dim ** -0.5)
            scores[hidden] = -np.inf
            scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
            out.append(scores / scores.sum(axis=-1, keepdims=True) @ v[:, of])
        return np.concatenate(out, axis=-1) @ self.w[p + "attn_output"].T

    def logits(self, ids, start):
        """Those of the last of ids, which begin at a position."""
        x = self.w["token_embd"][ids] * np.float32(self.w["token_embd"].shape[1] ** 0.5)
        for layer in range(self.layers):
            p = f"blk.{layer}."
            a = self.attention(layer, rms_norm(x, self.w[p + "attn_norm"], self.eps), start)
            x = x + rms_norm(a, self.w[p + "post_attention_norm"], self.eps)
            y = rms_norm(x, self.w[p + "ffn_norm"], self.eps)
            y = (gelu(y @ self.w[p + "ffn_gate"].T) * (y @ self.w[p + "ffn_up"].T)) @ self.w[p + "ffn_down"].T
            x = x + rms_norm(y, self.w[p + "post_ffw_norm"], self.eps)
        return rms_norm(x[-1], self.w["output_norm"], self.eps) @ self.w["token_embd"].T


def answer(model, ids):
    logits = model.logits(ids, 0)
    first, out = logits, []
    for _ in range(TOKENS):
        out.append(int(np.argmax(logits)))
        logits = model.logits(out[-1:], len(ids) + len(out) - 1)
    return out, first


def main(path, golden):
    metadata = gguf_metadata.read(path)
    tokenizer, model = Tokenizer(metadata), Gemma3(path, metadata)
    with open(golden, "w") as file:
        file.write("# Generated by oracle/gemma3_tokens.py with gguf 0.19.0 and NumPy in float32. Do not edit.\n")
        for prompt in [*PROMPTS, LONG]:
            ids = tokenizer.encode(prompt)
            out, logits = answer(model, ids)
            line = {"text": prompt, "prompt": ids, "answer": out, "said": tokenizer.decode(out),
                    "logits": [round(float(x), 4) for x in logits[::STRIDE]]}
            file.write(json.dumps(line) + "\n")
            print(len(ids), repr(tokenizer.decode(ids[-8:])), "->", repr(tokenizer.decode(out)))


if __name__ == "__main__":
    main(*sys.argv[1:])
