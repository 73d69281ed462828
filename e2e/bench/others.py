"""What others cost somebody: how long a chat question waits behind long prompts, and the processor's time for a small
request beside many small agents that are stored.

The question comes 200 ms after forty requests of 3,000 tokens and is answered with up to 16 tokens. The small request is the
same one, by one agent and again and again; its time is that of all threads of the server, by /proc.
"""

import argparse
import concurrent.futures
import os
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "memory"))
import served  # noqa: E402

LONG, TOKENS = 40, 3000


def ask(server, agent, text, max_tokens):
    return server.ask(agent, [{"role": "user", "content": text}], max_tokens)


def checked(answer):
    if answer.status != 200:
        raise SystemExit(f"{answer.status} {answer.text}")
    return answer


def queue():
    with served.scratch() as folder, concurrent.futures.ThreadPoolExecutor(LONG) as pool:
        server = served.Server(folder, SEMANTIC_MLX_MAX_BATCH_SIZE="4", SEMANTIC_SERVER_MAX_WAIT_SECONDS="0")
        alone = checked(ask(server, "alone", "Who was Napoleon?", 16))
        began = time.monotonic()
        long = [pool.submit(ask, server, f"long-{i}", served.prose(TOKENS - 35, i), 16) for i in range(LONG)]
        time.sleep(0.2)
        question = checked(ask(server, "chat", "Who was Caesar?", 16))
        answers = [checked(f.result()) for f in long]
        last = time.monotonic() - began
        prompts = sorted(a.prompt for a in answers)
        first = sorted(a.first or a.took for a in answers)
        server.stop()
    print(f"{LONG} prompts of {prompts[0]}-{prompts[-1]} tokens: the first answer begins after {first[0]:.1f} s, the median one "
          f"after {statistics.median(first):.1f} s, the last one ends after {last:.1f} s")
    print(f"a question of 3 words behind them ({question.prompt} tokens with the template): first token after {question.first:.2f} s, "
          f"end after {question.took:.2f} s; alone: {alone.first:.2f} s, {alone.took:.2f} s")


def processor_seconds(server):
    fields = open(f"/proc/{server.process.pid}/stat", encoding="utf-8").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def siblings(counts=(10, 2300), repeats=300):
    with served.scratch() as folder:
        server, stored = served.Server(folder, SEMANTIC_AGENT_MAX_AGENTS_IN_MEMORY="10000"), 0
        for count in counts:
            for stored in range(stored, count):
                checked(ask(server, f"small-{stored}", served.prose(10, stored), 1))
            stored = count
            repeated = "Tell me about the " + served.prose(7, -1)
            prompt = checked(ask(server, "mine", repeated, 1)).prompt
            time.sleep(3)  # what was computed is stored by now
            before = processor_seconds(server)
            read = [checked(ask(server, "mine", repeated, 1)).read for _ in range(repeats)]
            spent = (processor_seconds(server) - before) / repeats
            print(f"{count} small agents: {1000 * spent:.1f} ms of CPU for each repeated request of {prompt} tokens, of which "
                  f"{statistics.median(read):.0f} are read")
        server.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=("queue", "siblings"))
    {"queue": queue, "siblings": siblings}[parser.parse_args().part]()
