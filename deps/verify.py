"""Holds a folder of extracted wheels to the SHA-256 that each wheel's RECORD gives of each of its files, and the RECORDs to
those that are pinned beside this program: verify.py FOLDER RECORDS. Prints what is wrong, one line each, and exits with 1.

Folders named __pycache__ are nobody's. Standard library only."""

import base64
import csv
import hashlib
import pathlib
import sys


def pinned_digests(records):
    """RECORD by its SHA-256; a line is the sum and the path."""
    lines = (line.split() for line in records.read_text().splitlines() if line and not line.startswith("#"))
    return {path: digest for digest, path in lines}


def sha256(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256") if hasattr(hashlib, "file_digest") else hashlib.sha256(f.read())


def expected(folder, record):
    """Path and digest of each file that a RECORD lists, itself aside."""
    with open(folder / record, newline="", encoding="utf-8") as f:
        for path, digest, _ in csv.reader(f):
            if path != record:
                yield path, base64.urlsafe_b64decode(digest.removeprefix("sha256=") + "=").hex()


def problems(folder, records):
    """What is missing, damaged, or of no wheel."""
    want = pinned_digests(records)
    listed = dict(want)
    for record, digest in want.items():
        path = folder / record
        if path.is_file() and sha256(path).hexdigest() == digest:
            listed.update(expected(folder, record))
    there = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_symlink() or not p.is_dir()}
    for path in sorted(there - listed.keys()):
        if "__pycache__" not in path.split("/"):
            yield f"{path} is of no wheel"
    for path, digest in sorted(listed.items()):
        if path not in there:
            yield f"{path} is missing"
        elif (folder / path).is_symlink() or not (folder / path).is_file() or sha256(folder / path).hexdigest() != digest:
            yield f"{path} is damaged"


if __name__ == "__main__":
    found = list(problems(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])))
    print("\n".join(found[:5] + [f"and {len(found) - 5} more"] * (len(found) > 5)), end="\n" * bool(found))
    sys.exit(bool(found))
