"""Runs every command block of RUNBOOK.md, in order and in one shell, against a node that it starts with a real Postgres and a real
S3 server. It ends at the first block that fails, or whose output lacks what the block expects. Blocks for Compose and
Kubernetes are held to the names in compose.yaml and deploy/kubernetes. Standard library only.

An argument names another document; --names runs nothing and checks names only."""

import contextlib
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import tempfile

from document import blocks, objects, services, unknown
from stack import ROOT, bucket, free_port, node_settings, postgres

LIMIT = 60  # seconds for a block


def check_names(name, found):
    known = services(ROOT / "compose.yaml"), objects(ROOT / "deploy" / "kubernetes")
    wrong = [f"{name}:{block.line}: {what} is not in the manifests" for block in found if block.kind for what in unknown(block, *known)]
    if wrong:
        raise SystemExit("\n".join(wrong))
    print(f"{sum(1 for block in found if block.kind)} blocks for Compose and Kubernetes name what is there")


class Shell:
    """One shell that runs the blocks, so that what one sets the next has."""

    def __init__(self, folder, environment):
        self.folder = folder
        self.process = subprocess.Popen(["bash", "-eu"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        cwd=folder, env=environment, start_new_session=True)

    def run(self, number, block):
        """Runs a block: whether it went well, and what it wrote."""
        script, output = self.folder / f"block-{number}.sh", self.folder / f"block-{number}.out"
        script.write_text(block.text, encoding="utf-8")
        self.process.stdin.write(f"source {shlex.quote(str(script))} >{shlex.quote(str(output))} 2>&1 </dev/null; echo done\n")
        self.process.stdin.flush()
        watchdog = subprocess.Popen(["bash", "-c", f"sleep {LIMIT}; kill -KILL -- -{self.process.pid}"], start_new_session=True)
        told = self.process.stdout.readline()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(watchdog.pid, signal.SIGKILL)
        watchdog.wait()
        return told == "done\n", output.read_text(encoding="utf-8", errors="replace") if output.exists() else ""

    def end(self):
        """Ends the shell and what it left in the background."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(1)
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()


def run(name, found, shell):
    for number, block in enumerate(found):
        is_done, output = shell.run(number, block)
        missing = [wanted for wanted in block.expected if not re.search(wanted, output, re.MULTILINE)]
        if is_done and not missing:
            continue
        why = "its output lacks " + ", ".join(missing) if is_done else f"it failed, or took more than {LIMIT} s"
        print(f"{name}:{block.line}: {why}\n--- commands\n{block.text}--- output\n{output[-6000:]}", file=sys.stderr)
        raise SystemExit(1)
    print(f"{len(found)} blocks were run and {sum(len(block.expected) for block in found)} expectations met")


def main():
    named = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    document = pathlib.Path(named[0]) if named else ROOT / "RUNBOOK.md"
    found = blocks(document)
    check_names(document.name, found)
    if "--names" in sys.argv[1:]:
        return
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="runbook-")))
        folder.chmod(0o755)  # Postgres may run as another user
        database, binaries = stack.enter_context(postgres(folder))
        settings = {**node_settings(folder, free_port()), "SEMANTIC_DATABASE_URL": database, **stack.enter_context(bucket(folder))}
        (folder / "bin").mkdir()
        (folder / "bin" / "agent-memory").symlink_to(ROOT / "bin" / "agent-memory")
        (folder / "agent-memory.env").write_text("".join(f"export {key}={shlex.quote(value)}\n" for key, value in settings.items()), encoding="utf-8")
        plain = {key: value for key, value in os.environ.items() if not re.match(r"SEMANTIC_|ANTHROPIC_|PG", key)}
        shell = Shell(folder, {**plain, "PATH": f"{binaries}:{os.environ['PATH']}"})
        stack.callback(shell.end)
        run(document.name, [block for block in found if not block.kind], shell)


if __name__ == "__main__":
    main()
