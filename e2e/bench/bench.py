"""Compares the speed of agent-memory with llama.cpp's over HTTP, in one run and in turn, with a real streaming client.

Both servers serve the same GGUF on the same two processors. Every prompt is new, so no cache of prefixes helps, and is
sent to both as the same text: to agent-memory as a conversation, to llama.cpp as that conversation in the model's
template. Prefill is prompt tokens over the time to the first streamed token; decode is tokens over the time between
the first and the last one. Every figure is measured here or told by the servers. Standard library only.
"""

import argparse
import contextlib
import hashlib
import http.client
import json
import os
import pathlib
import platform
import random
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

THREADS = 2
PATIENCE = 600  # seconds until a silent server is given up
PREFILL = (512, 2048, 4096)
DECODE = (512, 4096)
STREAMS = (1, 2, 4, 8)
STREAM_PROMPT = 128

WORDS = """time year people way day man thing woman life child world school state family student group country
problem hand part place case week company system program question work government number night point home water room
mother area money story fact month lot right study book eye job word business issue side kind head house service
friend father power hour game line end member law car city community name president team minute idea body information
back parent face others level office door health person art war history party result change morning reason research
girl guy moment air teacher force education""".split()

random_source = random.Random(os.urandom(16))


class Failed(Exception):
    """Something that ends the comparison, told in one line."""


class Prompt:
    """A conversation that nobody has sent before, of about the given number of tokens."""

    def __init__(self, words):
        # The system turn begins every prompt of this model, and its random start ends every common prefix.
        nonce = "".join(random_source.choice("bcdfghjklmnpqrstvwxz") for _ in range(16))
        self.system = f"{nonce} is your name."
        chosen = " ".join(random_source.choice(WORDS) for _ in range(words))
        self.user = f"Words: {chosen}. Write a numbered list of them."
        # The answer's beginning, which both go on with: without it this model ends at once after a long prompt.
        self.begun = "Here is the numbered list:\n\n" + "\n".join(
            f"{i + 1}. {random_source.choice(WORDS)}" for i in range(8)) + "\n9."

    def messages_body(self, max_tokens, stream):
        return {"model": "claude-3-5-sonnet-20241022", "max_tokens": max_tokens, "stream": stream, "temperature": 0,
                "system": self.system, "messages": [{"role": "user", "content": self.user}, {"role": "assistant", "content": self.begun}]}

    def template_text(self):
        return (f"<|im_start|>system\n{self.system}<|im_end|>\n<|im_start|>user\n{self.user}<|im_end|>\n"
                f"<|im_start|>assistant\n{self.begun}")


class Answer:
    """A streamed answer: when it was asked, when which data came, and what the events say."""

    def __init__(self, asked, pieces):
        self.asked = asked
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
        return self.deltas[0] - self.asked

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
        asked = time.perf_counter()
        connection.request("POST", path, raw, {"Content-Type": "application/json"})
        response = connection.getresponse()
        if response.status != 200:
            raise Failed(f"{self.name} answers {response.status} to {path}: {response.read(500)!r}")
        return asked, connection, response

    def ask(self, path, body):
        _, connection, response = self.post(path, body)
        with contextlib.closing(connection):
            return json.load(response)

    def stream(self, path, body, kind):
        """Sends a request and notes when data comes. It is looked into afterwards, not to take time from the server."""
        asked, connection, response = self.post(path, body)
        pieces = []
        with contextlib.closing(connection):
            while piece := response.read1(1 << 16):
                pieces.append((time.perf_counter(), piece))
        return kind(asked, pieces)

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

    def counted(self, prompt):
        return self.ask("/extras/tokenize/count", {"input": prompt.template_text()})["count"]

    def answer(self, prompt, max_tokens):
        if self.surplus is None:
            probe = Prompt(8)
            usage = self.ask("/v1/completions", self.body(probe, 1, False))["usage"]
            self.surplus = usage["prompt_tokens"] - self.counted(probe)
        tokens = self.counted(prompt) + self.surplus
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


def prompt_of(ours, tokens):
    """A new prompt of exactly this many tokens, or at least very nearly: what it really has is measured anyway."""
    words, best = max(1, tokens - 100), None
    for _ in range(20):
        prompt = Prompt(words)
        off = tokens - ours.count(prompt)
        if best is None or abs(off) < abs(best[0]):
            best = (off, prompt)
        if off == 0:
            break
        words = max(1, words + off)
    return best[1]


def some_answer(server, prompt, make_prompt):
    """An answer of two tokens, the first of which is text: one that ends at once shows no first token."""
    for _ in range(10):
        answer = server.answer(prompt, 2)
        if answer.deltas:
            return answer
        prompt = make_prompt()
    raise Failed(f"{server.name} gave ten answers in a row without text")


def long_answer(server, make_prompt, max_tokens):
    """An answer that goes on until max_tokens, so that its length is known."""
    for _ in range(10):
        answer = server.answer(make_prompt(), max_tokens)
        if answer.reason in ("max_tokens", "length") and answer.generated == max_tokens:
            return answer
    raise Failed(f"{server.name} gave ten answers in a row that ended before {max_tokens} tokens")


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


def compare(ours, peer, rounds, decode_tokens):
    rows = [Row("prefill", n) for n in PREFILL] + [Row("decode", n) for n in DECODE]
    for current in range(-1, rounds):  # the first round warms up and is not counted
        for row in rows:
            prompt = prompt_of(ours, row.tokens)
            for server in (ours, peer):
                time.sleep(0.2)  # threads that spin after their work have fallen asleep
                if row.what == "prefill":
                    answer = some_answer(server, prompt, lambda: prompt_of(ours, row.tokens))
                    rate = answer.prompt_tokens / answer.ttft
                else:
                    fresh = iter([prompt])
                    answer = long_answer(server, lambda: next(fresh, None) or prompt_of(ours, row.tokens), decode_tokens)
                    rate = answer.decode_rate
                if current >= 0:
                    row.note(server, answer, rate)
        told = "warm-up" if current < 0 else f"round {current + 1} of {rounds}"
        print(f"  {told} done", file=sys.stderr, flush=True)
    return rows


def together(server, streams, max_tokens):
    """Tokens a second of all streams, over the time in which all of them decode."""
    prompts = [prompt_of(server, STREAM_PROMPT) for _ in range(streams)]
    answers, problems = [None] * streams, []

    def one(i):
        try:
            answers[i] = server.answer(prompts[i], max_tokens)
        except Exception as problem:  # noqa: BLE001: told by the main thread
            problems.append(problem)

    threads = [threading.Thread(target=one, args=(i,)) for i in range(streams)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]
    if any(a.reason != "max_tokens" for a in answers):
        return None
    begin, end = max(a.deltas[0] for a in answers), min(a.deltas[-1] for a in answers)
    if end <= begin:
        return None
    # An event may carry several tokens: an answer's tokens are spread over its events.
    tokens = sum(sum(begin < at <= end for at in a.deltas) * a.generated / len(a.deltas) for a in answers)
    return tokens / (end - begin)


def batched(server, rounds, max_tokens):
    rows = {n: [] for n in STREAMS}
    for current in range(-1, rounds):
        for n, rates in rows.items():
            for _ in range(10):
                if (rate := together(server, n, max_tokens)) is not None:
                    break
            else:
                raise Failed(f"{n} streams at once never all went on to {max_tokens} tokens")
            if current >= 0:
                rates.append(rate)
    return rows


def processor():
    """Name and flags of interest."""
    text = ""
    with contextlib.suppress(OSError):
        text = pathlib.Path("/proc/cpuinfo").read_text()
    name = re.search(r"^model name\s*: (.*)$", text, re.M)
    flags = re.search(r"^flags\s*: (.*)$", text, re.M)
    known = set(flags.group(1).split()) if flags else set()
    of_interest = ("avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16",
                   "amx_tile", "amx_int8", "amx_bf16")
    return name.group(1) if name else platform.processor() or platform.machine(), [f for f in of_interest if f in known]


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
        lines += ["", f"Ours, decoding several streams at once (prompts of about {STREAM_PROMPT} tokens, "
                  f"answers of {args.decode_tokens}, batch {max(STREAMS)}); tokens a second of all streams together:", ""]
        single = statistics.median(streams[STREAMS[0]])
        lines += table(["streams", "median", "min-max", "times one stream"], [
            [str(n), *spread(rates), f"{statistics.median(rates) / single:.2f}"] for n, rates in streams.items()])
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True)
    parser.add_argument("--model", required=True, help="the GGUF that both serve")
    parser.add_argument("--peer-python", required=True, help="a Python with llama_cpp.server")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--decode-tokens", type=int, default=96)
    parser.add_argument("--quick", action="store_true", help="one round, to see that it works")
    parser.add_argument("--out", help="file for the report, in Markdown")
    args = parser.parse_args()
    if args.quick:
        args.rounds = 1
    described = facts(args)
    with contextlib.ExitStack() as running:
        ours = Ours(args.binary, args.model)
        running.callback(ours.stop)
        peer = Peer(args.peer_python, args.model)
        running.callback(peer.stop)
        rows = compare(ours, peer, args.rounds, args.decode_tokens)
    with contextlib.ExitStack() as running:
        ours = Ours(args.binary, args.model, batch=max(STREAMS))
        running.callback(ours.stop)
        streams = batched(ours, args.rounds, args.decode_tokens)
    text = report(described, args, rows, streams)
    print(text, end="")
    if args.out:
        pathlib.Path(args.out).write_text(text)


if __name__ == "__main__":
    try:
        main()
    except Failed as failure:
        sys.exit(f"bench: {failure}")
