"""Many agents in random order through a pool and a disk that are far too small for all: nobody gets an error, neither
budget is exceeded as seen from outside, nothing is in use when idle, and memory stays flat.

100 agents of 2,000 tokens for ten minutes through 256 MB of pool and 2 GB of disk; --minutes, --agents and --disk change
that. Whether memory stays flat is judged from five minutes on: before, the pool and Go's heap are still filling up.
"""

import argparse
import random
import statistics
import sys
import threading
import time

import served

POOL_MB = 256
BESIDE_MB = 256  # what a process may take beside its model and the pool: a chunk's arrays, files on their way, Go's heap
LONG_ENOUGH = 5  # minutes
IDLE_WAIT = 300  # seconds that a slow machine may take for audits and stores after the last answer


class Watch(threading.Thread):
    """Samples the folder and the process from outside."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.disk, self.rss, self.utilization, self.ended = server, [], [], [], False

    def run(self):
        while not self.ended:
            self.disk.append(served.physical(self.server.folder / "blocks"))
            self.rss.append(self.server.rss())
            time.sleep(0.25)


def work(server, conversations, locks, until, counts, seed):
    source = random.Random(seed)
    while time.monotonic() < until:
        number = source.randrange(len(conversations))
        if not locks[number].acquire(blocking=False):
            continue
        with_lock(server, conversations, number, counts, source)
        locks[number].release()


def with_lock(server, conversations, number, counts, source):
    turns = conversations[number]
    answer = server.ask(f"agent-{number}", turns, 24)
    with counts["lock"]:
        counts["requests"] += 1
        counts["status"][answer.status] = counts["status"].get(answer.status, 0) + 1
        counts["read"] += answer.read
        counts["prompt"] += answer.prompt if answer.usage else 0
    if answer.status != 200:
        return
    turns += [{"role": "assistant", "content": answer.text or "."}, {"role": "user", "content": served.prose(10, source.random())}]
    if len(turns) > 9:
        del turns[1:]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--agents", type=int, default=100)
    parser.add_argument("--disk", type=int, default=2048, help="MB of disk budget")
    args = parser.parse_args()
    with served.scratch() as folder:
        server = served.Server(folder / "cache", SEMANTIC_MLX_CACHE_BUDGET_MB=str(POOL_MB),
                               SEMANTIC_AGENT_DISK_BUDGET_MB=str(args.disk), SEMANTIC_AGENT_DISK_MIN_FREE_MB="0")
        conversations = [[{"role": "user", "content": served.prose(1950, f"agent {n}")}] for n in range(args.agents)]
        locks = [threading.Lock() for _ in conversations]
        counts = {"lock": threading.Lock(), "requests": 0, "status": {}, "read": 0, "prompt": 0}
        bare = server.rss() - server.metric("semantic_pool_resident_bytes")
        watch = Watch(server)
        watch.start()
        began = time.monotonic()
        until = began + args.minutes * 60
        workers = [threading.Thread(target=work, args=(server, conversations, locks, until, counts, n)) for n in range(6)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        utilization = idle_utilization(server)
        resident = server.metric("semantic_pool_resident_bytes")
        watch.ended = True
        watch.join()
        return report(args, server, watch, counts, utilization, resident, bare)


def idle_utilization(server):
    """The pool's utilisation once the last blocks are stored and the last audits computed, or after IDLE_WAIT seconds."""
    until = time.monotonic() + IDLE_WAIT
    while True:
        time.sleep(3)
        utilization = server.metric("semantic_pool_utilization_ratio")
        if utilization < 0.1 or time.monotonic() > until:
            return utilization


def report(args, server, watch, counts, utilization, resident, bare):
    half = watch.rss[len(watch.rss) // 2:]
    quarter = len(half) // 2
    first, last = statistics.median(half[:quarter]), statistics.median(half[quarter:])
    checks = {
        f"no 5xx among {counts['requests']} requests: {counts['status']}": not any(s >= 500 for s in counts["status"]),
        f"disk: {max(watch.disk) / 2**20:.0f} MiB at most in {len(watch.disk)} samples, budget {args.disk}": max(watch.disk) <= args.disk << 20,
        f"pool: {resident / 2**20:.0f} MiB resident at the end, budget {POOL_MB}": resident <= POOL_MB << 20,
        f"resident memory: {max(watch.rss) / 2**20:.0f} MiB at most; {bare / 2**20:.0f} before the first request without the pool, "
        f"{POOL_MB} of pool, and at most {BESIDE_MB} beside": max(watch.rss) <= bare + (POOL_MB + BESIDE_MB << 20),
        f"utilisation when idle {utilization:.3f}": utilization < 0.1,
        f"{counts['read']} prompt tokens were read": counts["read"] > 0,
        "the process lives": server.process.poll() is None,
    }
    if args.minutes >= LONG_ENOUGH:
        flat = f"resident memory {first / 2**20:.0f} MiB in the third quarter, {last / 2**20:.0f} MiB in the last, {max(watch.rss) / 2**20:.0f} at most"
        checks[flat] = last < 1.05 * first
    print(f"{served.processor()}: {counts['read']} of {counts['prompt']} prompt tokens were read "
          f"({100 * counts['read'] / max(1, counts['prompt']):.1f} %), "
          f"{server.metric('semantic_tier_restores_total{tier=%sdisk%s}' % (chr(34), chr(34))):.0f} blocks restored, "
          f"{server.metric('semantic_preemptions_total'):.0f} preemptions")
    for what, ok in checks.items():
        print(("ok    " if ok else "FAILED") + " " + what)
    server.stop()
    return 0 if all(checks.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
