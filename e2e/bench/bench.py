"""Compares the speed of agent-memory with llama.cpp's over HTTP, in one run and in turn, with a real streaming client.

Both servers serve the same GGUF on the same two processors. Every prompt is new, so no cache of prefixes helps, and is
sent to both as the same text: to agent-memory as a conversation, to llama.cpp as that conversation in the model's
template. Prefill is prompt tokens over the time to the first streamed token; decode is tokens over the time between
the first and the last one. Every figure is measured here or told by the servers. Standard library only.
"""

import argparse
import contextlib
import pathlib
import sys
import threading
import time

from prompts import STREAM_TOKENS, prompt_of
from report import Row, facts, report
from servers import Failed, Ours, Peer

PREFILL = (512, 2048, 4096)
DECODE = (512, 4096)
STREAMS = (1, 2, 4, 8)


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
        phase = "warm-up" if current < 0 else f"round {current + 1} of {rounds}"
        print(f"  {phase} done", file=sys.stderr, flush=True)
    return rows


def stream_rate(server, streams, max_tokens):
    """Tokens a second of all streams, over the time in which all of them decode."""
    prompts = [prompt_of(server, STREAM_TOKENS) for _ in range(streams)]
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


def measure_streams(server, rounds, max_tokens):
    rows = {n: [] for n in STREAMS}
    for current in range(-1, rounds):
        for n, rates in rows.items():
            for _ in range(10):
                if (rate := stream_rate(server, n, max_tokens)) is not None:
                    break
            else:
                raise Failed(f"{n} streams at once never all went on to {max_tokens} tokens")
            if current >= 0:
                rates.append(rate)
    return rows


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
        streams = measure_streams(ours, args.rounds, args.decode_tokens)
    text = report(described, args, rows, streams)
    print(text, end="")
    if args.out:
        pathlib.Path(args.out).write_text(text)


if __name__ == "__main__":
    try:
        main()
    except Failed as failure:
        sys.exit(f"bench: {failure}")
