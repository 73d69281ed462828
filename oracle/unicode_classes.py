"""Prints the code points that the Rust tokenizers library takes for letters (L), numbers (N) and white space (S).

One line per range: class, first, last, in hexadecimal. Used to see where Go's older Unicode tables fall short.
"""

from tokenizers import Regex, pre_tokenizers

CLASSES = {"L": r"\p{L}", "N": r"\p{N}", "S": r"\s"}


def matches(regex, c):
    kept = pre_tokenizers.Split(Regex(regex), behavior="removed").pre_tokenize_str(c)
    return not kept


def ranges(regex):
    start = None
    for code in range(0x110000 + 1):
        inside = code < 0x110000 and not 0xD800 <= code < 0xE000 and matches(regex, chr(code))
        if inside and start is None:
            start = code
        if not inside and start is not None:
            yield start, code - 1
            start = None


if __name__ == "__main__":
    for name, regex in CLASSES.items():
        for first, last in ranges(regex):
            print(f"{name} {first:X} {last:X}")
