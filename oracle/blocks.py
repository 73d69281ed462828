"""Golden values of block keys, tags and a block file, from the formulas of docs/block-format.md alone.

Run: python3 oracle/blocks.py > mlx/kv/blockfile/testdata/blocks.json   (standard library only)
"""
import hashlib, hmac, json, struct

CLUSTER, TENANT, MODEL, CLASS, BITS, BLOCK = "cluster secret", "default", "model", "cpu/plain/bf16", 16, 256
GENERATED, OPENS, CLOSES = 1 << 31, 1 << 30, 1 << 29
TOKENS = [(i * 7919 + 13) % 49152 for i in range(2 * BLOCK + 21)]
# An answer of 40 tokens across the border of two blocks, and one that the tail ends within: its last token has no KV yet.
TOKENS[240:280] = [t | GENERATED for t in TOKENS[240:280]]
TOKENS[240], TOKENS[279] = TOKENS[240] | OPENS, TOKENS[279] | CLOSES
TOKENS[-5:] = [t | GENERATED for t in TOKENS[-5:]]
TOKENS[-5] |= OPENS
NEXT = 77 | GENERATED | CLOSES


def fields(domain, *named):
    out = b""
    for name, value in (("domain", domain.encode()),) + named:
        out += struct.pack("<Q", len(name)) + name.encode() + struct.pack("<Q", len(value)) + value
    return out


def derive(purpose):
    data = fields("agent-memory secret v1", ("purpose", purpose.encode()), ("tenant", TENANT.encode()))
    return hmac.new(CLUSTER.encode(), data, hashlib.sha256).digest()


def number(n):
    return struct.pack("<Q", n)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


salt, tag_key, seal_key, salt_id = derive("salt"), derive("tag"), derive("seal"), derive("salt id")[:8]
fingerprint = hashlib.sha256(fields(
    "agent-memory fingerprint v2", ("model", hashlib.sha256(MODEL.encode()).digest()), ("bits", number(BITS)),
    ("layout", b"rows/1"), ("block tokens", number(BLOCK)))).digest()


def key(parent, tokens):
    ids = b"".join(struct.pack("<I", t) for t in tokens)
    return hashlib.sha256(fields("agent-memory block v1", ("fingerprint", fingerprint), ("salt", salt),
                                 ("parent", parent), ("tokens", ids))).digest()


keys, parent = [], bytes(32)
for start in range(0, len(TOKENS) - BLOCK + 1, BLOCK):
    parent = key(parent, TOKENS[start:start + BLOCK])
    keys.append(parent)
tail = TOKENS[len(keys) * BLOCK:]
tags, last = [], bytes(16)
for token in tail + [NEXT]:
    last = hmac.new(tag_key, fingerprint + parent + last + struct.pack("<I", token), hashlib.sha256).digest()[:16]
    tags.append(last)
following = tags.pop()

parts = [bytes((7 * i + layer) % 256 for i in range(width * len(tail))) for layer, width in enumerate((8, 4))]
layers, offset = b"", 0
for (kind, heads, dim, window), part in zip(((1, 2, 2, 0), (2, 1, 2, 48)), parts):
    layers += struct.pack("<BxHHxxIIQQ8x", kind, heads, dim, window, crc32c(part), offset, len(part))
    offset += len(part)
tables = layers + b"".join(tags)
length = -(-(256 + len(tables) + 36) // 4096) * 4096
header = b"AGMEMKV\n" + struct.pack("<HxxI", 2, length) + key(parent, tail) + parent + fingerprint + salt_id
header += struct.pack("<IIIHBx", BLOCK, len(tail), len(keys), len(parts), BITS)
header = header.ljust(192, b"\0") + CLASS.encode().ljust(32, b"\0") + number(offset) + following
header = (header.ljust(256, b"\0") + tables).ljust(length - 36, b"\0")
header += hmac.new(seal_key, header, hashlib.sha256).digest()
header += struct.pack("<I", crc32c(header))

print(json.dumps({
    "cluster": CLUSTER, "tenant": TENANT, "model": MODEL, "class": CLASS, "bits": BITS, "tokens": TOKENS, "next": NEXT,
    "fingerprint": fingerprint.hex(), "saltID": salt_id.hex(), "keys": [k.hex() for k in keys],
    "tail": key(parent, tail).hex(), "tags": [t.hex() for t in tags],
    "file": hashlib.sha256(header + b"".join(parts)).hexdigest(),
}))
