"""The two servers that are compared, each on the same two processors, and their streamed answers."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import tempfile
import time

from prompts import Prompt

THREADS = 2
PATIENCE = 600  # seconds until a silent server is given up


class Failed(Exception):
    """Something that ends the comparison, told in one line."""


class Answer:
    """A streamed answer: when it was asked, when which data came, and what the events say."""

    def __init__(self, began, pieces):
        self.began = began
        self.deltas = []  # times of the events that carry text
        self.prompt_tokens = self.generated = self.reason = None
        buffered = b""
        for at, piece in pieces:
            buffered += piece
            *lines, buffered = buffered.split(b"\n")
            for line in lines:
                if line.startswith(b"data: {"):
                    self.read(at, json.loads(line[len(b"data: "):]))

    @property
    def ttft(self):
        return self.deltas[0] - self.began

    @property
    def decode_rate(self):
        return (self.generated - 1) / (self.deltas[-1] - self.deltas[0])


class OurAnswer(Answer):
    """Events of POST /v1/messages."""

    def read(self, at, event):
        kind = event["type"]
        if kind == "message_start":
            self.prompt_tokens = event["message"]["usage"]["input_tokens"]
        elif kind == "content_block_delta":
            self.deltas.append(at)
        elif kind == "message_delta":
            self.generated, self.reason = event["usage"]["output_tokens"], event["delta"]["stop_reason"]
        elif kind == "error":
            raise Failed(f"agent-memory ended a stream with {event['error']}")


class PeerAnswer(Answer):
    """Events of POST /v1/completions. They carry no usage: each event with text is one token of this English text."""

    def read(self, at, event):
        if "error" in event:
            raise Failed(f"llama.cpp ended a stream with {event['error']}")
        choice = event["choices"][0]
        if choice["text"]:
            self.deltas.append(at)
        if choice["finish_reason"]:
            self.generated, self.reason = len(self.deltas), choice["finish_reason"]


class Server:
    """A server process on a free port of loopback."""

    def __init__(self, name, command, environment, ready):
        self.name, self.port = name, free_port()
        self.log = tempfile.TemporaryFile(mode="w+", errors="replace")
        self.process = subprocess.Popen(
            [word.replace("{port}", str(self.port)) for word in command], stdout=self.log, stderr=self.log,
            env={**os.environ, **{k: v.replace("{port}", str(self.port)) for k, v in environment.items()}},
            stdin=subprocess.DEVNULL, preexec_fn=two_processors)
        try:
            self.wait_for(ready)
        except BaseException:
            self.stop()
            raise

    def wait_for(self, path):
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if self.process.poll() is not None:
                self.log.seek(0)
                raise Failed(f"{self.name} ended with {self.process.returncode}: {self.log.read()[-2000:]}")
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                connection.request("GET", path)
                if connection.getresponse().status == 200:
                    return
            time.sleep(0.05)
        raise Failed(f"{self.name} did not get ready in {PATIENCE} s")

    def post(self, path, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        raw = json.dumps(body).encode()
        connection.connect()
        began = time.perf_counter()
        connection.request("POST", path, raw, {"Content-Type": "application/json"})
        response = connection.getresponse()
        if response.status != 200:
            raise Failed(f"{self.name} answers {response.status} to {path}: {response.read(500)!r}")
        return began, connection, response

    def ask(self, path, body):
        _, connection, response = self.post(path, body)
        with contextlib.closing(connection):
            return json.load(response)

    def show(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request("GET", path)
            return json.load(connection.getresponse())

    def stream(self, path, body, kind):
        """Sends a request and notes when data comes. It is looked into afterwards, not to take time from the server."""
        began, connection, response = self.post(path, body)
        pieces = []
        with contextlib.closing(connection):
            while piece := response.read1(1 << 16):
                pieces.append((time.perf_counter(), piece))
        return kind(began, pieces)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Ours(Server):
    name = "agent-memory"

    def __init__(self, binary, model, batch=4):
        self.cache = tempfile.TemporaryDirectory(prefix="agent-memory-bench-", ignore_cleanup_errors=True)
        super().__init__(self.name, [os.path.abspath(binary), "serve"], {
            "SEMANTIC_MLX_MODEL_ID": os.path.abspath(model), "SEMANTIC_MLX_MAX_BATCH_SIZE": str(batch),
            "SEMANTIC_SERVER_HOST": "127.0.0.1", "SEMANTIC_AGENT_CACHE_DIR": self.cache.name, "SEMANTIC_SERVER_PORT": "{port}", "ANTHROPIC_API_KEY": "",
            "SEMANTIC_SERVER_RATE_LIMIT_PER_AGENT": "0", "SEMANTIC_SERVER_RATE_LIMIT_GLOBAL": "0",
        }, "/health/ready")

    def count(self, prompt):
        body = prompt.messages_body(1, False)
        return self.ask("/v1/messages/count_tokens", {k: body[k] for k in ("model", "system", "messages")})["input_tokens"]

    def answer(self, prompt, max_tokens):
        return self.stream("/v1/messages", prompt.messages_body(max_tokens, True), OurAnswer)


class Peer(Server):
    name = "llama.cpp"

    def __init__(self, python, model):
        self.surplus = None  # what a prompt has beyond the count of its text (a BOS, if the model wants one)
        super().__init__(self.name, [
            python, "-m", "llama_cpp.server", "--model", os.path.abspath(model), "--host", "127.0.0.1", "--port", "{port}",
            "--n_ctx", "8192", "--n_threads", str(THREADS), "--n_threads_batch", str(THREADS), "--n_batch", "512",
            "--cache", "false", "--verbose", "false",
        ], {}, "/v1/models")

    def body(self, prompt, max_tokens, stream):
        return {"prompt": prompt.template_text(), "max_tokens": max_tokens, "stream": stream, "temperature": 0,
                "repeat_penalty": 1}

    def count_text(self, prompt):
        return self.ask("/extras/tokenize/count", {"input": prompt.template_text()})["count"]

    def answer(self, prompt, max_tokens):
        if self.surplus is None:
            probe = Prompt(8)
            usage = self.ask("/v1/completions", self.body(probe, 1, False))["usage"]
            self.surplus = usage["prompt_tokens"] - self.count_text(probe)
        tokens = self.count_text(prompt) + self.surplus
        answer = self.stream("/v1/completions", self.body(prompt, max_tokens, True), PeerAnswer)
        answer.prompt_tokens = tokens
        return answer


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def processors():
    """The processors that the servers run on, or None where they can't be chosen."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    return sorted(os.sched_getaffinity(0))[:THREADS]


def two_processors():
    if (chosen := processors()) is not None:
        os.sched_setaffinity(0, chosen)
