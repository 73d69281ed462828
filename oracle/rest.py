"""Golden values of KV at rest in 8 and 4 bits, from the description in docs/block-format.md alone.

Run: python3 oracle/rest.py > mlx/array/testdata/rest.json   (standard library only)

Packed bytes are made up, and read as the page says: scale and minimum in bf16, then numbers q; a value is
minimum + q scale in float32, rounded to bf16 (to nearest, ties to even).
"""
import json, random, struct


def single(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def from_bf16(bits):
    return struct.unpack("<f", struct.pack("<I", bits << 16))[0]


def to_bf16(x):
    bits = struct.unpack("<I", struct.pack("<f", x))[0]
    return (bits + 0x7FFF + (bits >> 16 & 1)) >> 16


def group_of(dim):
    return 64 if dim % 64 == 0 else 32 if dim % 32 == 0 else dim


def case(source, dim, bits):
    group, packed, rows = group_of(dim), b"", b""
    for _ in range(2 * 3 * dim // group):  # two rows of three heads
        scale, low = to_bf16(source.uniform(0.001, 0.3)), to_bf16(source.uniform(-9, 9))
        numbers = [source.randrange(1 << bits) for _ in range(group)]
        packed += struct.pack("<HH", scale, low)
        if bits == 8:
            packed += bytes(numbers)
        else:
            packed += bytes(numbers[i] | numbers[i + 1] << 4 for i in range(0, group, 2))
        for q in numbers:
            rows += struct.pack("<H", to_bf16(single(from_bf16(low) + single(from_bf16(scale) * q))))
    return {"dim": dim, "bits": bits, "packed": packed.hex(), "rows": rows.hex()}


source = random.Random(7)
print(json.dumps([case(source, dim, bits) for dim in (64, 96, 80, 256) for bits in (8, 4)]))
