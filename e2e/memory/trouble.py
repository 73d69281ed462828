"""A volume that is full and then has room again: a real tmpfs, the database on it too. Answers go on, the node stays ready, the tier is shown as degraded and heals without a restart, and
what was computed meanwhile is durable afterwards. Needs root, to mount."""

import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time

import served

FAILURES = []


def check(what, ok):
    print(("ok    " if ok else "FAILED") + " " + what, flush=True)
    if not ok:
        FAILURES.append(what)


def wait(what, is_so, seconds=120):
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        with contextlib.suppress(RuntimeError, KeyError, IndexError):
            if is_so():
                check(f"{what}, after {time.monotonic() - began:.1f} s", True)
                return
        time.sleep(0.05)
    check(what, False)


def state(server):
    return server.json("/admin/pool")["tiers"][0]


def durable(server, agent):
    told = server.json(f"/v1/agents/{agent}")
    return told["tokens"] > 0 and told["tiers"][1]["durable_tokens"] == told["tokens"]


def talk(server, agent, words):
    turns = [{"role": "user", "content": served.prose(words, agent) + ". Write a list."}, {"role": "assistant", "content": served.BEGUN}]
    return server.ask(agent, turns, 16)


def trouble(server, name, begin, end):
    print(f"-- {name}")
    before = talk(server, f"before-{name}", 600)
    wait("an agent is durable before", lambda: durable(server, f"before-{name}"))
    begin()
    for n in range(3):
        answer = talk(server, f"{name}-{n}", 600)
        check(f"answer {n} meanwhile: {answer.status}", answer.status == 200 and answer.text != "")
    wait("the tier is shown as degraded", lambda: state(server)["state"] == "degraded", 30)
    print("      " + state(server).get("problem", ""))
    check("the node is ready", server.get("/health/ready")[0] == 200)
    check("the agent is known from memory", server.json(f"/v1/agents/{name}-2")["tokens"] > 0)
    check("utilisation falls to 0", server.metric("semantic_pool_utilization_ratio") < 0.1)
    end()
    wait("the tier heals", lambda: state(server)["state"] == "healthy")
    wait("what was computed meanwhile is durable", lambda: all(durable(server, f"{name}-{n}") for n in range(3)))
    wait("its record is written", lambda: name + "-2" in server.get(f"/v1/agents?prefix={name}")[1])
    again = talk(server, f"before-{name}", 600)
    check("the agent of before answers as before", again.text == before.text)


def main():
    if os.geteuid() != 0:
        raise SystemExit("trouble.py mounts a tmpfs and needs root")
    with served.scratch() as folder:
        volume = folder / "volume"
        volume.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200m", "tmpfs", str(volume)], check=True)
        try:
            run(volume)
        finally:
            subprocess.run(["umount", "-l", str(volume)], check=True)
    return 1 if FAILURES else 0


def run(volume):
    server = served.Server(volume / "cache", SEMANTIC_AGENT_DISK_MIN_FREE_MB="0")
    filler = volume / "filler"

    filling = threading.Event()

    def keep_full():
        """Takes every byte that becomes free, as somebody else's runaway log would: giving up blocks helps nobody."""
        with open(filler, "wb", buffering=0) as to:
            while not filling.is_set():
                try:
                    to.write(b"x" * 4096)
                except OSError:
                    time.sleep(0.0005)

    def fill():
        threading.Thread(target=keep_full, daemon=True).start()
        wait("the volume is full", lambda: shutil.disk_usage(volume).free < 65536)

    def make_room():
        filling.set()
        time.sleep(0.1)
        filler.unlink()

    trouble(server, "full", fill, make_room)
    warnings = server.log.read_text().count("disk_tier_degraded")
    print(f"      {warnings} warnings of the disk tier in the log")
    server.stop()


if __name__ == "__main__":
    sys.exit(main())
