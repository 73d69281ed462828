"""The report of a comparison: the machine and the programs that it was made with, and its tables."""

import contextlib
import hashlib
import os
import pathlib
import platform
import re
import statistics
import subprocess
import time

from prompts import STREAM_TOKENS
from servers import THREADS, Ours, Peer, processors


class Row:
    """One line of the table: what was measured of each server, and the real numbers of prompt tokens."""

    def __init__(self, what, tokens):
        self.what, self.tokens = what, tokens
        self.rates, self.counts = {}, {}

    def note(self, server, answer, rate):
        self.rates.setdefault(server.name, []).append(rate)
        self.counts.setdefault(server.name, set()).add(answer.prompt_tokens)

    def cells(self):
        ours, peer = self.rates[Ours.name], self.rates[Peer.name]
        counts = self.counts[Ours.name] | self.counts[Peer.name]
        shown = str(min(counts)) if len(counts) == 1 else f"{min(counts)}-{max(counts)}"
        return [self.what, shown, *spread(ours), *spread(peer),
                f"{statistics.median(ours) / statistics.median(peer):.2f}"]


def spread(rates):
    return [f"{statistics.median(rates):.1f}", f"{min(rates):.1f}-{max(rates):.1f}"]


def processor():
    """Name and flags of interest."""
    text = ""
    with contextlib.suppress(OSError):
        text = pathlib.Path("/proc/cpuinfo").read_text()
    name = re.search(r"^model name\s*: (.*)$", text, re.M)
    flags = re.search(r"^flags\s*: (.*)$", text, re.M)
    available = set(flags.group(1).split()) if flags else set()
    of_interest = ("avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16",
                   "amx_tile", "amx_int8", "amx_bf16")
    return name.group(1) if name else platform.processor() or platform.machine(), [f for f in of_interest if f in available]


def output_of(command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def commit():
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        dirty = " with changes" if output_of(["git", "status", "--porcelain"]) else ""
        return f", commit {output_of(['git', 'rev-parse', '--short=12', 'HEAD'])}{dirty}"
    return ""


def facts(args):
    name, flags = processor()
    peer = output_of([args.peer_python, "-c", "import llama_cpp as l; print(l.__version__); "
                      "print(l.llama_print_system_info().decode())"]).splitlines()
    peer_flags = [m.group(1) for m in re.finditer(r"(\w+) = 1\b", peer[-1])]
    model = pathlib.Path(args.model)
    load = f"{os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else "unknown"
    return [
        f"Processor: {name}, {os.cpu_count()} processors seen, servers on {len(processors() or []) or 'all'} of them; "
        f"flags: {' '.join(flags) or 'unknown'}",
        f"System: {platform.system()} {platform.release()} {platform.machine()}; load at the start {load}; "
        f"{time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}",
        f"Model: {model.name}, sha256 {hashlib.sha256(model.read_bytes()).hexdigest()[:16]}",
        f"Ours: {output_of([args.binary, 'version'])}{commit()}; instruction set {os.environ.get('SEMANTIC_MLX_CPU_ISA', 'auto')}",
        f"Peer: llama-cpp-python {peer[0]} (llama_cpp.server, {THREADS} threads, n_batch 512, n_ctx 8192, no cache); "
        f"built for {' '.join(peer_flags)}",
    ]


def table(head, rows):
    rows = [head, *rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return lines


def report(described, args, rows, streams):
    compared = table(["", "prompt tokens", "ours, median", "ours, min-max", "llama.cpp, median", "llama.cpp, min-max", "ratio"],
                     [row.cells() for row in rows])
    lines = ["# Speed beside llama.cpp", ""]
    lines += [f"- {line}" for line in described]
    lines += ["", f"Tokens a second over HTTP, streaming, greedy, one request at a time, the servers in turn, {args.rounds} "
              f"round(s) after a warm-up; every prompt is new. Prefill: prompt tokens over the time to the first token. "
              f"Decode: the {args.decode_tokens - 1} tokens after the first.", "", *compared]
    if streams:
        lines += ["", f"Ours, decoding several streams at once (prompts of about {STREAM_TOKENS} tokens, "
                  f"answers of {args.decode_tokens}, batch {max(streams)}); tokens a second of all streams together:", ""]
        single = statistics.median(streams[min(streams)])
        lines += table(["streams", "median", "min-max", "times one stream"], [
            [str(n), *spread(rates), f"{statistics.median(rates) / single:.2f}"] for n, rates in streams.items()])
    return "\n".join(lines) + "\n"
