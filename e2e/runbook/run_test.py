"""Tests that a runbook which is wrong is told to be, on small ones that need no server."""

import contextlib
import io
import os
import pathlib
import tempfile
import unittest

import run as runner
from document import blocks, objects, services, unknown
from stack import ROOT

SH = "```sh{}\n{}\n```\n"


def told(text):
    """What the runner says of a document: None if all went well."""
    with tempfile.TemporaryDirectory() as name, contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as said:
        path = pathlib.Path(name) / "document.md"
        path.write_text(text, encoding="utf-8")
        shell = runner.Shell(pathlib.Path(name), dict(os.environ))
        try:
            runner.run("document.md", blocks(path), shell)
            return None
        except SystemExit as end:
            return f"{said.getvalue()}{end}"
        finally:
            shell.end()


def names(kind, text):
    with tempfile.TemporaryDirectory() as name:
        path = pathlib.Path(name) / "document.md"
        path.write_text(SH.format(" " + kind, text), encoding="utf-8")
        return unknown(blocks(path)[0], services(ROOT / "compose.yaml"), objects(ROOT / "deploy" / "kubernetes"))


class TheRunner(unittest.TestCase):
    def test_what_a_block_sets_the_next_has(self):
        self.assertIsNone(told("<!-- run: A=1; cd / -->\n" + SH.format("", 'echo "$A$PWD"\n# expect: ^1/$')))

    def test_a_command_that_fails_is_told(self):
        self.assertIn("document.md:4: it failed", told(SH.format("", "true") + SH.format("", "false\necho after")))

    def test_a_variable_that_nobody_sets_is_told(self):
        self.assertIn("it failed", told(SH.format("", 'echo "$NOBODY"')))

    def test_an_output_without_what_is_expected_is_told(self):
        self.assertIn("lacks two$", told(SH.format("", "echo one\n# expect: one\n# expect: two$")))

    def test_a_block_that_hangs_is_told(self):
        limit, runner.LIMIT = runner.LIMIT, 1
        try:
            self.assertIn("took more than", told(SH.format("", "sleep 100")))
        finally:
            runner.LIMIT = limit

    def test_a_block_without_an_end_is_told(self):
        self.assertIn("document.md:1: the block has no end", told("```sh\ntrue\n"))

    def test_names_are_those_of_the_manifests(self):
        self.assertEqual(names("compose", "docker compose logs node-a"), [])
        self.assertEqual(names("compose", "docker compose logs node-z | head"), ["node-z"])
        self.assertEqual(names("kubernetes", "kubectl scale deployment/semantic-caching-api --replicas=4"), [])
        self.assertEqual(names("kubernetes", "kubectl get hpa/another"), ["hpa/another"])
        self.assertEqual(names("kubernetes", "kubectl logs -l app=another"), ["app=another"])
        self.assertEqual(names("kubernetes", "kubectl set image deployment/semantic-caching-api another=image:tag"), ["container another"])
        self.assertEqual(names("kubernetes", "kubectl get pods"), ["no object"])


if __name__ == "__main__":
    unittest.main()
