"""Has a real Prometheus scrape a node with the rules of deploy/prometheus, in shortened times: under load the pool's alert becomes
pending, fires, and is over when the load is; what the dashboards ask is answered; when the node ends, the alert of its health
fires. Needs prometheus and the built binary. Standard library only."""

import contextlib
import json
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "e2e" / "memory"))
from served import BEGUN, Server, prose, scratch  # noqa: E402

QUIET = {"Calls of the bucket by fault", "Failures of tiers", "Blocks not stored a second"}  # there is no bucket, and no trouble
LIMIT = 120  # seconds that each state may take to come


def shortened(rules):
    """The rules with seconds in place of minutes."""
    rules = re.sub(r"interval: 15s", "interval: 1s", rules)
    return re.sub(r"for: \d+m", "for: 2s", rules)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Prometheus:
    """A Prometheus that scrapes one node each second."""

    def __init__(self, folder, target):
        if not shutil.which("prometheus"):
            raise SystemExit("make alerts-live: prometheus is missing; install the package prometheus")
        source = ROOT / "deploy" / "prometheus"
        (folder / "rules.yml").write_text(shortened((source / "rules.yml").read_text(encoding="utf-8")), encoding="utf-8")
        config = (source / "prometheus.yml").read_text(encoding="utf-8")
        config = re.sub(r"_interval: \w+", "_interval: 1s", re.sub(r"targets: .*", f'targets: ["{target}"]', config))
        (folder / "prometheus.yml").write_text(config, encoding="utf-8")
        self.port, self.log = free_port(), open(folder / "prometheus.log", "wb")
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}",
             f"--web.listen-address=127.0.0.1:{self.port}"], stdout=self.log, stderr=self.log)

    def ask(self, path):
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}", timeout=5) as answer:
            return json.load(answer)["data"]
        return None

    def state(self, alert):
        """pending, firing, or None if there is no such alert now."""
        states = [found["state"] for found in (self.ask("alerts") or {"alerts": []})["alerts"] if found["labels"]["alertname"] == alert]
        return max(states, default=None, key=["pending", "firing"].index)

    def wait(self, alert, *states):
        """Waits until the alert is in one of these states."""
        until = time.monotonic() + LIMIT
        while (found := self.state(alert)) not in states:
            if time.monotonic() > until:
                raise SystemExit(f"{alert} is {found} after {LIMIT} s, and should be {' or '.join(map(str, states))}")
            time.sleep(0.2)
        print(f"{alert}: {found or 'over'}")

    def check_rules(self):
        """Waits until all rules were evaluated, and ends the program if one could not be."""
        until = time.monotonic() + LIMIT
        while True:
            groups = (self.ask("rules") or {"groups": []})["groups"]
            rules = [rule for group in groups for rule in group["rules"]]
            if rules and all(rule["health"] != "unknown" for rule in rules):
                break
            if time.monotonic() > until:
                raise SystemExit(f"Prometheus has not evaluated its rules after {LIMIT} s")
            time.sleep(0.2)
        failed = [f"{rule['name']}: {rule.get('lastError')}" for rule in rules if rule["health"] != "ok"]
        if failed:
            raise SystemExit("\n".join(failed))
        print(f"Prometheus evaluates {len(rules)} rules")

    def empty_panels(self):
        """The panels of the dashboards without figures. One that Prometheus can't answer ends the program."""
        empty = set()
        for path in sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json")):
            for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
                for target in panel["targets"]:
                    query = urllib.parse.quote(target["expr"].replace("$instance", ".*"))
                    answer = self.ask(f"query?query={query}")
                    if answer is None:
                        raise SystemExit(f"{path.name}: {panel['title']}: Prometheus can't answer {target['expr']}")
                    if not answer["result"]:
                        empty.add(panel["title"])
        return empty - QUIET

    def check_panels(self):
        """Waits until every panel has figures that a node under load has some for."""
        until = time.monotonic() + LIMIT
        while empty := self.empty_panels():
            if time.monotonic() > until:
                raise SystemExit(f"these panels have no figures after {LIMIT} s: {', '.join(sorted(empty))}")
            time.sleep(0.5)
        print("Prometheus answers every panel of the dashboards")

    def end(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()


@contextlib.contextmanager
def load(server, agents):
    """So many agents that hold conversations one after the other, until the end of the block."""
    is_over = threading.Event()

    def talk(number):
        for turn in range(1000):
            if is_over.is_set():
                return
            question = {"role": "user", "content": prose(150, f"{number} {turn}") + "\nMake a list of these."}
            server.ask(f"agent {number}", [question, {"role": "assistant", "content": BEGUN}], most=600)

    threads = [threading.Thread(target=talk, args=(number,)) for number in range(agents)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


def main():
    with scratch() as folder, tempfile.TemporaryDirectory(prefix="prometheus-") as own, contextlib.ExitStack() as stack:
        # The pool holds fewer conversations than there are slots, and many: one that ends leaves it nearly as full as it was.
        server = Server(folder, SEMANTIC_MLX_CACHE_BUDGET_MB="192", SEMANTIC_MLX_MAX_BATCH_SIZE="16", SEMANTIC_AGENT_DISK_BUDGET_MB="512",
                        SEMANTIC_AGENT_DISK_MIN_FREE_MB="0")
        stack.callback(lambda: server.process.poll() is None and server.kill())
        prometheus = Prometheus(pathlib.Path(own), f"127.0.0.1:{server.port}")
        stack.callback(prometheus.end)
        prometheus.check_rules()
        prometheus.wait("SemanticHealthCheckFailing", None)
        if state := prometheus.state("SemanticPoolUtilizationHigh"):
            raise SystemExit(f"SemanticPoolUtilizationHigh is {state} on an idle node")
        for _ in range(2):  # the second time it is read from the cache
            server.ask("twice", [{"role": "user", "content": prose(900, "twice")}], most=1)
        with load(server, 24):
            prometheus.wait("SemanticPoolUtilizationHigh", "pending", "firing")
            prometheus.wait("SemanticPoolUtilizationHigh", "firing")
            prometheus.check_panels()
        prometheus.wait("SemanticPoolUtilizationHigh", None)
        server.stop()
        prometheus.wait("SemanticHealthCheckFailing", "firing")


if __name__ == "__main__":
    main()
