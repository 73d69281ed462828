"""Prompts that nobody has sent before, and prompts of a wanted number of tokens."""

import os
import random

STREAM_TOKENS = 128  # of each prompt where several streams decode at once

WORDS = """time year people way day man thing woman life child world school state family student group country
problem hand part place case week company system program question work government number night point home water room
mother area money story fact month lot right study book eye job word business issue side kind head house service
friend father power hour game line end member law car city community name president team minute idea body information
back parent face others level office door health person art war history party result change morning reason research
girl guy moment air teacher force education""".split()

random_source = random.Random(os.urandom(16))


class Prompt:
    """A conversation that nobody has sent before, of about the given number of tokens."""

    def __init__(self, words):
        # The system turn begins every prompt of this model, and its random start ends every common prefix.
        nonce = "".join(random_source.choice("bcdfghjklmnpqrstvwxz") for _ in range(16))
        self.system = f"{nonce} is your name."
        chosen = " ".join(random_source.choice(WORDS) for _ in range(words))
        self.user = f"Words: {chosen}. Write a numbered list of them."
        # The answer's beginning, which both go on with: without it this model ends at once after a long prompt.
        self.answer_start = "Here is the numbered list:\n\n" + "\n".join(
            f"{i + 1}. {random_source.choice(WORDS)}" for i in range(8)) + "\n9."

    def messages_body(self, max_tokens, stream):
        return {"model": "claude-3-5-sonnet-20241022", "max_tokens": max_tokens, "stream": stream, "temperature": 0,
                "system": self.system, "messages": [{"role": "user", "content": self.user}, {"role": "assistant", "content": self.answer_start}]}

    def template_text(self):
        return (f"<|im_start|>system\n{self.system}<|im_end|>\n<|im_start|>user\n{self.user}<|im_end|>\n"
                f"<|im_start|>assistant\n{self.answer_start}")


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
