"""Real trouble with the volume: full, read-only while the server runs, read-only when it starts, then well again. The
volume is a tmpfs, which for the first and the last holds the database too. Answers go on, the node stays ready, the tier
is shown as degraded and heals without a restart, and what was computed meanwhile is durable afterwards. Needs root, to
mount."""

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
    view = server.json(f"/v1/agents/{agent}")
    return view["tokens"] > 0 and view["tiers"][1]["durable_tokens"] == view["tokens"]


def talk(server, agent, words):
    turns = [{"role": "user", "content": served.prose(words, agent) + ". Write a list."}, {"role": "assistant", "content": served.BEGUN}]
    return server.ask(agent, turns, 16)


def trouble(server, name, begin, end):
    print(f"-- {name}")
    before = talk(server, f"before-{name}", 600)
    wait("an agent is durable before", lambda: durable(server, f"before-{name}"))
    begin()
    meanwhile(server, name)
    end()
    after(server, name)
    again = talk(server, f"before-{name}", 600)
    check("the agent of before answers as before", again.text == before.text)
    one_warning(server)


def meanwhile(server, name):
    for n in range(3):
        answer = talk(server, f"{name}-{n}", 600)
        check(f"answer {n} meanwhile: {answer.status}", answer.status == 200 and answer.text != "")
    wait("the tier is shown as degraded", lambda: state(server)["state"] == "degraded", 30)
    print("      " + state(server).get("problem", ""))
    check("the node is ready", server.get("/health/ready")[0] == 200)
    check("the agent is known", server.json(f"/v1/agents/{name}-2")["tokens"] > 0)
    check("utilisation falls to 0", server.metric("semantic_pool_utilization_ratio") < 0.1)


def after(server, name):
    wait("the tier heals", lambda: state(server)["state"] == "healthy")
    wait("what was computed meanwhile is durable", lambda: all(durable(server, f"{name}-{n}") for n in range(3)))
    wait("its record is written", lambda: name + "-2" in server.get(f"/v1/agents?prefix={name}")[1])


def one_warning(server):
    warnings = [line for line in server.log_text().splitlines() if "disk_tier_degraded" in line]
    check(f"{len(warnings)} warning of the disk tier in the log, with advice", len(warnings) == 1 and "advice=" in warnings[0])


def mount(*arguments):
    """Mounts, as soon as nobody is writing."""
    for _ in range(200):
        done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        time.sleep(0.05)
    raise SystemExit(f"mount {arguments}: {done.stderr}")


@contextlib.contextmanager
def volume():
    """An empty tmpfs of 200 MB."""
    with served.scratch() as folder:
        place = folder / "volume"
        place.mkdir()
        mount("-t", "tmpfs", "-o", "size=200m", "tmpfs", place)
        try:
            yield place
        finally:
            subprocess.run(["umount", "-l", str(place)], check=True)


def full():
    with volume() as place:
        server = served.Server(place / "cache", SEMANTIC_AGENT_DISK_MIN_FREE_MB="0")
        filler, done = place / "filler", threading.Event()

        def keep_full():
            """Takes every byte that becomes free, as somebody else's runaway log would: giving up blocks helps nobody."""
            with open(filler, "wb", buffering=0) as to:
                while not done.is_set():
                    try:
                        to.write(b"x" * 4096)
                    except OSError:
                        time.sleep(0.0005)

        def fill():
            threading.Thread(target=keep_full, daemon=True).start()
            wait("the volume is full", lambda: shutil.disk_usage(place).free < 65536)

        def make_room():
            done.set()
            time.sleep(0.1)
            filler.unlink()

        trouble(server, "full", fill, make_room)
        server.stop()


def read_only():
    """The folder of the blocks becomes read-only under the running server: a mount of its own is remounted."""
    with served.scratch() as folder:
        blocks = folder / "cache" / "blocks"
        blocks.mkdir(parents=True)
        mount("-t", "tmpfs", "-o", "size=200m", "tmpfs", blocks)
        try:
            server = served.Server(folder / "cache", SEMANTIC_AGENT_DISK_MIN_FREE_MB="0")
            trouble(server, "read-only", lambda: mount("-o", "remount,ro", blocks), lambda: mount("-o", "remount,rw", blocks))
            server.stop()
        finally:
            subprocess.run(["umount", "-l", str(blocks)], check=True)


def read_only_at_start():
    print("-- read-only at the start")
    with volume() as place:
        mount("-o", "remount,ro", place)
        server = served.Server(place / "cache", SEMANTIC_AGENT_DISK_MIN_FREE_MB="0")
        meanwhile(server, "start")
        mount("-o", "remount,rw", place)
        after(server, "start")
        one_warning(server)
        server.stop()


def main():
    if os.geteuid() != 0:
        raise SystemExit("trouble.py mounts a tmpfs and needs root")
    full()
    read_only()
    read_only_at_start()
    return 1 if FAILURES else 0


if __name__ == "__main__":
    sys.exit(main())
