"""Writes what the Rust tokenizers library makes of every code point there is, for each vocabulary.

usage: codepoints.py CACHE

CACHE holds the vocabularies, as tokens.py leaves them. The answers go to CACHE/expected/codepoints-NAME.bin: for each
form of FORMS and each of its code points in order, surrogates left out, the CRC-32 of the ids as little-endian 32-bit
numbers, itself such a number. mlx/tokenizer/codepoints_test.go reads them and has the same forms. An answer is made
again only when the vocabulary, the library or this script is another.
"""

import array
import hashlib
import pathlib
import sys
import zlib

import tokenizers

import tokens

EVERY = range(17)
ASSIGNED = (0, 1, 2, 3, 14)  # planes with more than private use
MARKED = (0, 1)  # planes with characters that normalization composes or reorders
FORMS = (("a", "b", EVERY), ("", "", ASSIGNED), ("e", "\u0323\u0301", MARKED))
BATCH = 1 << 14


def codes(planes):
    return [c for p in planes for c in range(p << 16, (p + 1) << 16) if not 0xD800 <= c < 0xE000]


def sums(tokenizer, before, after, part):
    texts = [before + chr(c) + after for c in part]
    for encoding in tokenizer.encode_batch_fast(texts, add_special_tokens=False):
        yield zlib.crc32(array.array("I", encoding.ids).tobytes())


def answers(path):
    tokenizer = tokenizers.Tokenizer.from_file(str(path))
    tokenizer.encode_special_tokens = True
    out = array.array("I")
    for before, after, planes in FORMS:
        all_codes = codes(planes)
        for at in range(0, len(all_codes), BATCH):
            out.extend(sums(tokenizer, before, after, all_codes[at:at + BATCH]))
    return out


def key(path):
    parts = (path.read_bytes(), pathlib.Path(__file__).read_bytes(), tokenizers.__version__.encode())
    return "".join(hashlib.sha256(p).hexdigest() for p in parts)


def main(cache):
    assert sys.byteorder == "little", "the answers are little-endian numbers"
    cache = pathlib.Path(cache)
    for name, path in tokens.paths(cache).items():
        target, made = cache / "expected" / f"codepoints-{name}.bin", cache / "expected" / f"codepoints-{name}.key"
        if target.exists() and made.exists() and made.read_text() == key(path):
            continue
        made.unlink(missing_ok=True)
        target.write_bytes(answers(path).tobytes())
        made.write_text(key(path))
        print(f"{name}: every code point")


if __name__ == "__main__":
    main(*sys.argv[1:])
