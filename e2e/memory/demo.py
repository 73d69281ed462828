"""Talk, kill -9, start, go on: what a memory that survives is. Prints both times and whether the answers match."""

import sys

import served


def main():
    with served.scratch() as folder:
        server = served.Server(folder / "cache")
        turns = [{"role": "user", "content": "Remember these words: " + served.prose(2500, "demo") + ". Write a numbered list of them."},
                 {"role": "assistant", "content": served.BEGUN}]
        cold = server.ask("demo", turns)
        turns[-1] = {"role": "assistant", "content": served.BEGUN + cold.text}
        turns += [{"role": "user", "content": "Now another list."}, {"role": "assistant", "content": served.BEGUN}]
        print(f"first turn:  {cold.prompt} tokens of prompt, {cold.read} read, first text after {cold.first * 1000:.0f} ms")
        hot = server.ask("demo", turns)
        print(f"second turn: {hot.prompt} tokens of prompt, {hot.read} read, first text after {hot.first * 1000:.0f} ms")
        while server.json("/v1/agents/demo")["tiers"][1]["durable_tokens"] < server.json("/v1/agents/demo")["tokens"]:
            pass
        server.kill()
        print("killed with SIGKILL")
        server.start()
        print(f"started again and ready after {server.took * 1000:.0f} ms")
        again = server.ask("demo", turns)
        print(f"second turn: {again.prompt} tokens of prompt, {again.read} read, first text after {again.first * 1000:.0f} ms")
        same = again.text == hot.text
        print(f"the answers {'match' if same else 'DIFFER'}; cold {cold.first / again.first:.1f} times as long as after the restart")
        server.stop()
        return 0 if same and again.read > cold.prompt - 2 else 1


if __name__ == "__main__":
    sys.exit(main())
