"""Compares two binaries of this server, in one run and in turn: prefill, decode, and reading a prompt again from the pool
and from disk. The figure of a line is the other binary's time over the first one's, each pair taken for the same prompt:
over 1, the first is faster. Who is started first, or goes first in a pair, can differ by more than what is looked for: so
the binaries take turns in both, and the figure is the geometric mean of the medians over the four orders. Standard
library only.

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


def measure(servers, rounds, tokens, only, note):
    for number in range(-1, 2 * rounds):  # the first round warms up and is not counted
        order = servers[::-1] if number % 2 else servers
        for what, take in steps(tokens):
            if only and what[0] not in only:
                continue
            seconds = {}
            prompt = prompt_of(order[-1], what[1])  # by turns: who counts has its threads awake
            for server in order:
                time.sleep(0.2)  # threads that spin after their work have fallen asleep
                seconds[server] = take(server, prompt)
            if number >= 0:
                note(what, number % 2, [seconds[s] for s in servers])


def started(stack, binaries, model):
    servers = []
    for binary in binaries:
        servers.append(Ours(binary, model))
        stack.callback(servers[-1].stop)
    return servers


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
    parser.add_argument("--rounds", type=int, default=2, help="for either order of each start")
    parser.add_argument("--starts", type=int, default=4, help="of both servers, an even number")
    parser.add_argument("--decode-tokens", type=int, default=96)
    parser.add_argument("--only", nargs="*", help="of the lines, by their names")
    options = parser.parse_args()
    lines = {}
    for start in range(options.starts):
        swapped = start % 2

        def note(what, turn, seconds):
            pair = seconds[::-1] if swapped else seconds
            lines.setdefault(what, {}).setdefault((swapped, turn ^ swapped), []).append(pair)

        with contextlib.ExitStack() as stack:
            servers = started(stack, options.binaries[::-1] if swapped else options.binaries, options.model)
            measure(servers, options.rounds, options.decode_tokens, options.only, note)
    report(lines)


def report(lines):
    print(f"{'':24} {'first':>10} {'second':>10} {'second/first':>13}   by who is started first, and begins: 1 1, 1 2, 2 1, 2 2")
    for (what, n), orders in lines.items():
        ours, theirs = (statistics.median(p[i] for pairs in orders.values() for p in pairs) * 1000 for i in (0, 1))
        medians = [statistics.median(theirs / ours for ours, theirs in orders[o]) for o in sorted(orders)]
        print(f"{what + ' at ' + str(n):24} {ours:8.2f}ms {theirs:8.2f}ms {statistics.geometric_mean(medians):13.3f}  "
              + "".join(f"{m:7.3f}" for m in medians))


if __name__ == "__main__":
    main()
