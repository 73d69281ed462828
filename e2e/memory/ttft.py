"""Time to the first token of a conversation that is new, in the pool, and on disk, beside a plain parallel read of the
same files in the same run.

From disk: the agent is evicted from the pool before, once with the files in the system's page cache, once with them
dropped from it (posix_fadvise). Medians over the rounds. The plain read opens the agent's block files and reads them
whole with four threads into buffers that are used again; it is measured beside each restore. "95 % durable" is the time
from the end of the first answer until the disk has 95 % of its conversation's tokens durably.
"""

import argparse
import concurrent.futures
import json
import os
import statistics
import threading
import time

import served

CONTEXTS = (1024, 2048, 4096, 8000)
ROUNDS = 5


def files_of(folder):
    found = []
    for path, _, names in os.walk(folder / "blocks" / "v1"):
        found += [os.path.join(path, name) for name in names]
    return found


def drop(files):
    os.sync()
    for name in files:
        fd = os.open(name, os.O_RDONLY)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)


class PlainRead:
    def __init__(self):
        self.pool = concurrent.futures.ThreadPoolExecutor(4)
        self.buffers = {}

    def one(self, name):
        size = os.stat(name).st_size
        thread = threading.get_ident()
        buffer = self.buffers.get(thread)
        if buffer is None or len(buffer) < size:
            buffer = self.buffers[thread] = bytearray(size)
        fd = os.open(name, os.O_RDONLY)
        try:
            view, at = memoryview(buffer), 0
            while at < size:
                at += os.preadv(fd, [view[at:size]], at)
        finally:
            os.close(fd)
        return size

    def __call__(self, files):
        began = time.monotonic()
        total = sum(self.pool.map(self.one, files))
        return total, time.monotonic() - began


def conversation(tokens, seed):
    """A conversation of about so many tokens: the words are one token each, the rest is the template's."""
    return [{"role": "user", "content": f"{seed}: " + served.prose(tokens - 90, seed) + ". Write a numbered list of them."},
            {"role": "assistant", "content": served.BEGUN}]


def evict(server, agent):
    status, text = server.post(f"/admin/agents/default/{agent}/evict", {"to": "disk"})
    if status != 200:
        raise SystemExit(f"evict: {status} {text}")


def restore_seconds(server):
    return server.metric('semantic_restore_seconds_sum')


def measure(folder, tokens, rounds):
    """One context length on a server of its own, so that its folder holds this agent's files only."""
    out = {name: [] for name in ("cold", "hot", "disk", "dropped", "plain", "plain_dropped", "restore", "restore_dropped", "durable")}
    plain = PlainRead()
    for number in range(rounds):
        server = served.Server(folder / f"{tokens}-{number}", SEMANTIC_AGENT_DISK_MIN_FREE_MB="0")
        server.ask("warm", conversation(300, f"warm {number}"), 2)
        server.post("/v1/agents/warm/prefetch")
        connection, answer = server.request("DELETE", "/v1/agents/warm")
        answer.read()
        turns = conversation(tokens, f"{tokens} {number}")
        cold = server.ask("a", turns, 8)
        out["cold"].append(cold.first)
        out["tokens"] = cold.prompt
        ended = time.monotonic()
        await_durable(server, cold, 0.95)
        out["durable"].append(time.monotonic() - ended)
        await_durable(server, cold, 1)
        hot = server.ask("a", turns, 8)
        out["hot"].append(hot.first)
        check(hot, cold)
        files = files_of(server.folder)
        for dropped in (False, True):
            evict(server, "a")
            if dropped:
                drop(files)
            before = restore_seconds(server)
            again = server.ask("a", turns, 8)
            check(again, cold)
            out["dropped" if dropped else "disk"].append(again.first)
            out["restore_dropped" if dropped else "restore"].append(restore_seconds(server) - before)
            if dropped:
                drop(files)
            else:
                plain(files)
            size, took = plain(files)
            out["bytes"] = size
            out["plain_dropped" if dropped else "plain"].append(took)
        server.kill()
    return out


def await_durable(server, answer, share):
    """Waits until the disk has that share of a conversation: of all but the last token, whose KV was never computed."""
    tokens = answer.prompt + answer.usage["output_tokens"] - 1
    while server.json("/v1/agents/a")["tiers"][1]["durable_tokens"] < share * tokens:
        time.sleep(0.002)


def check(again, cold):
    if again.text != cold.text or again.read != cold.prompt - 1:
        raise SystemExit(f"{again.read} of {cold.prompt} tokens were read, the answers are equal: {again.text == cold.text}; "
                         f"{cold.status} {again.status} {cold.text[:300]!r} {again.text[:300]!r}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--contexts", type=int, nargs="*", default=CONTEXTS)
    parser.add_argument("--out")
    args = parser.parse_args()
    print(f"{served.processor()}, {os.cpu_count()} processors; medians of {args.rounds} rounds\n")
    print("| prompt | cold | hot | disk, page cache | disk, dropped | cold / disk | cold / dropped | 95 % durable | KV bytes | restore | plain read | rate | restore, dropped | plain read, dropped | rate |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|")
    results = []
    with served.scratch() as folder:
        for tokens in args.contexts:
            found = measure(folder, tokens, args.rounds)
            m = {k: statistics.median(v) if isinstance(v, list) else v for k, v in found.items()}
            results.append(found)
            ms = lambda s: f"{s * 1000:.1f} ms"
            rate = lambda seconds: f"{m['bytes'] / seconds / 1e9:.2f} GB/s" if seconds else "-"
            print(f"| {m['tokens']} | {ms(m['cold'])} | {ms(m['hot'])} | {ms(m['disk'])} | {ms(m['dropped'])} "
                  f"| {m['cold'] / m['disk']:.1f} | {m['cold'] / m['dropped']:.1f} | {ms(m['durable'])} | {m['bytes'] / 1e6:.1f} MB "
                  f"| {rate(m['restore'])} | {rate(m['plain'])} | {m['plain'] / m['restore']:.2f} "
                  f"| {rate(m['restore_dropped'])} | {rate(m['plain_dropped'])} | {m['plain_dropped'] / m['restore_dropped']:.2f} |", flush=True)
    if args.out:
        with open(args.out, "w", encoding="utf-8") as to:
            json.dump(results, to, indent=1)


if __name__ == "__main__":
    main()
