"""Reads the metadata of a GGUF file: enough of the format to get at the vocabulary and the chat template."""

import struct

SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
STRING, ARRAY = 8, 9


class Reader:
    def __init__(self, file):
        self.file = file

    def scalar(self, code):
        return struct.unpack(code, self.file.read(struct.calcsize(code)))[0]

    def value(self, kind):
        if kind == STRING:
            return self.file.read(self.scalar("<Q")).decode()
        if kind == ARRAY:
            of, count = self.scalar("<I"), self.scalar("<Q")
            return [self.value(of) for _ in range(count)]
        return self.scalar(SCALARS[kind])


def read(path):
    """The metadata as a dict."""
    with open(path, "rb") as file:
        r = Reader(file)
        if file.read(4) != b"GGUF" or r.scalar("<I") not in (2, 3):
            raise ValueError(f"{path} is not a GGUF file of version 2 or 3")
        r.scalar("<Q")
        count = r.scalar("<Q")
        return {r.value(STRING): r.value(r.scalar("<I")) for _ in range(count)}


def smollm2_tokenizer(meta):
    """The tokenizer.json that belongs to a GGUF vocabulary of the smollm family."""
    tokens, kinds = meta["tokenizer.ggml.tokens"], meta["tokenizer.ggml.token_type"]
    if meta["tokenizer.ggml.model"] != "gpt2" or meta["tokenizer.ggml.pre"] != "smollm":
        raise ValueError("not a vocabulary of the smollm family")
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    added = [
        {"id": i, "content": t, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
        for i, (t, kind) in enumerate(zip(tokens, kinds)) if kind == 3
    ]
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, level]},
        "post_processor": None,
        "decoder": dict(level, add_prefix_space=True),
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
            "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
            "vocab": {t: i for i, t in enumerate(tokens)}, "merges": meta["tokenizer.ggml.merges"],
        },
    }
