"""Compares two binaries of this server, in one run and in turn: prefill, decode, and reading a prompt again from the pool
and from disk. The figure of a line is the median over the rounds of the other binary's time over the first one's, each
taken for the same prompt: over 1, the first is faster. Standard library only.

    python3 e2e/bench/versions.py --model GGUF bin/agent-memory /tmp/before/bin/agent-memory
"""

import argparse
import contextlib
import statistics
import time

from bench import long_answer, some_answer
from prompts import prompt_of
from servers import Ours

PREFILL = (512, 2048, 4096)
READ = 4096  # tokens of the prompt that is read again


def prefill(server, prompt):
    return some_answer(server, prompt, lambda: prompt).ttft


def decode(server, prompt, tokens):
    fresh = iter([prompt])
    return 1 / long_answer(server, lambda: next(fresh, None) or prompt_of(server, 512), tokens).decode_rate


def emptied(server):
    """Waits until what the pool had is on disk, and takes it out of the pool."""
    while server.show("/admin/pool")["pending_bytes"] > 0:
        time.sleep(0.05)
    server.ask("/admin/pool/trim", {})


def measure(servers, rounds, tokens, only):
    lines = {}
    for number in range(-1, rounds):  # the first round warms up and is not counted
        order = servers if number % 2 else servers[::-1]
        for what, take in steps(tokens):
            if only and what[0] not in only:
                continue
            seconds = {}
            prompt = prompt_of(order[-1], what[1])  # by turns: who counts has its threads awake
            for server in order:
                time.sleep(0.2)  # threads that spin after their work have fallen asleep
                seconds[server] = take(server, prompt)
            if number >= 0:
                lines.setdefault(what, []).append([seconds[s] for s in servers])
    return lines


def steps(tokens):
    for n in PREFILL:
        yield ("prefill", n), prefill
    yield ("decode", 512), lambda server, prompt: decode(server, prompt, tokens)

    def again(server, prompt):
        prefill(server, prompt)
        return prefill(server, prompt)

    def from_disk(server, prompt):
        prefill(server, prompt)
        emptied(server)
        return prefill(server, prompt)

    yield ("from the pool", READ), again
    yield ("from disk", READ), from_disk


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binaries", nargs=2, help="the first is compared with the second")
    parser.add_argument("--model", required=True)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--decode-tokens", type=int, default=96)
    parser.add_argument("--only", nargs="*", help="of the lines, by their names")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        servers = []
        for binary in options.binaries:
            server = Ours(binary, options.model)
            stack.callback(server.stop)
            servers.append(server)
        lines = measure(servers, options.rounds, options.decode_tokens, options.only)
    print(f"{'':24} {'first':>10} {'second':>10} {'second/first':>13} {'from':>6} {'to':>6}")
    for (what, n), pairs in lines.items():
        ratios = sorted(second / first for first, second in pairs)
        ours, theirs = (statistics.median(p[i] for p in pairs) * 1000 for i in (0, 1))
        print(f"{what + ' at ' + str(n):24} {ours:8.2f}ms {theirs:8.2f}ms {statistics.median(ratios):13.3f} {ratios[0]:6.2f} {ratios[-1]:6.2f}")


if __name__ == "__main__":
    main()
