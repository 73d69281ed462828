"""Writes how the Rust tokenizers library cuts random texts by random regular expressions, as JSON lines.

usage: expressions.py OUT

The expressions are of what vocabularies use: classes, alternatives, repetitions of all kinds, looks ahead and behind,
groups that are never entered again. What is repeated without end has at least one character.
"""

import json
import random
import sys

from tokenizers import Regex, pre_tokenizers

COUNT = 8_000
ATOMS = ["a", "b", "é", ".", "[ab]", "[^a]", r"\s", r"\S", r"\d", r"\w", r"\p{L}", r"\p{Lu}", r"\P{N}", r"[^\s\p{L}\p{N}]", r"\p{Han}", "(?i:k)", "(?i:'s)", r"[\r\n/]"]
PLACES = ["(?!a)", "(?=b)", r"(?!\S)", r"(?<=a)", r"(?<!\s)", "(?:)", "^", "$"]
TEXT = ["a", "a", "b", "b", "é", " ", " ", "\n", "K", "\u212a", "ſ", "s", "'", "字", "1", "²", "A", "\u0301", "/", "\U000105c0", "\r"]


def expression(rng, depth):
    if depth == 0 or rng.random() < 0.3:
        return rng.choice(PLACES) if rng.random() < 0.1 else rng.choice(ATOMS)
    inner = lambda: expression(rng, depth - 1)
    kind = rng.randrange(5)
    if kind == 0:
        return inner() + inner()
    if kind == 1:
        return f"(?:{inner()}|{inner()})"
    if kind == 2:
        return f"(?:{inner()})" + rng.choice(["?", "??", "{0,2}", "{2}", "{1,3}"])
    if kind == 3 and rng.random() < 0.3:
        return f"(?>{inner()}{rng.choice(ATOMS)})"
    return f"(?:{inner()}{rng.choice(ATOMS)}{inner()})" + rng.choice(["*", "+", "*?", "+?", "{1,}", "++", "*+"])


def random_expression(rng):
    """An expression that the library takes."""
    while True:
        source = expression(rng, rng.randint(1, 4))
        try:
            return source, pre_tokenizers.Split(Regex(source), behavior="removed", invert=True)
        except Exception as refused:  # the library raises no narrower one
            assert "Oniguruma" in str(refused), refused


def case(rng):
    (source, cut), text = random_expression(rng), "".join(rng.choice(TEXT) for _ in range(rng.randint(1, 30)))
    pieces = cut.pre_tokenize_str(text)
    return {"source": source, "text": text, "matches": [piece for piece, _ in pieces]}


def main(out):
    rng = random.Random(20261125)
    with open(out, "w", encoding="utf-8") as lines:
        for _ in range(COUNT):
            lines.write(json.dumps(case(rng)) + "\n")
    print(f"{COUNT} expressions")


if __name__ == "__main__":
    main(*sys.argv[1:])
