"""Reads the command blocks of a runbook, and holds those that need a cluster to the names in its manifests."""

import pathlib
import re

OPENING = re.compile(r"^```sh *(\w*)\n$")
HIDDEN = re.compile(r"^<!-- run: (.*) -->\n$")


class Block:
    """Commands, where they stand, and what their output must have."""

    def __init__(self, line, kind, text):
        self.line, self.kind, self.text = line, kind, text
        self.expected = re.findall(r"^# expect: (.*)$", text, re.MULTILINE)


def blocks(path):
    """The blocks of a document, in order. A comment that begins with run: is one that readers don't see."""
    found, kind, begun = [], None, 0
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    for number, line in enumerate(lines, 1):
        if kind is None and (opening := OPENING.match(line)):
            kind, begun = opening.group(1), number
        elif kind is None and (hidden := HIDDEN.match(line)):
            found.append(Block(number, "", hidden.group(1) + "\n"))
        elif kind is not None and line == "```\n":
            found.append(Block(begun, kind, "".join(lines[begun:number - 1])))
            kind = None
    if kind is not None:
        raise SystemExit(f"{path.name}:{begun}: the block has no end")
    return found


def services(compose):
    """The names of compose.yaml's services."""
    part = re.search(r"^services:\n(.*?)(?=^\S)", compose.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return set(re.findall(r"^  ([a-z0-9-]+):$", part.group(1), re.MULTILINE))


def objects(folder):
    """What the manifests define, as kind/name, and as app=name what is labelled so."""
    found = set()
    for path in sorted(pathlib.Path(folder).rglob("*.yaml")):
        for document in re.split(r"^---$", path.read_text(encoding="utf-8"), flags=re.MULTILINE):
            kind, name = re.search(r"^kind: (\w+)$", document, re.MULTILINE), re.search(r"^metadata:\n(?:  .*\n)*?  name: (\S+)$", document, re.MULTILINE)
            if kind and name:
                found.add(f"{SHORT.get(kind.group(1), kind.group(1).lower())}/{name.group(1)}")
            found.update(f"app={label}" for label in re.findall(r"\bapp: ([a-z0-9-]+)", document))
            found.update(f"container {name}" for name in re.findall(r"^ {8}- name: (\S+)\n {10}image:", document, re.MULTILINE))
    return found


SHORT = {"HorizontalPodAutoscaler": "hpa", "PodDisruptionBudget": "pdb"}


def unknown(block, known_services, known_objects):
    """The names in a block for Compose or Kubernetes that its manifests don't have."""
    if block.kind == "compose":
        if "docker compose " not in block.text:
            return ["no command of docker compose"]
        named = set(re.findall(r"(?<=\s)(?:node|balancer|postgres|bucket|s3|prometheus|grafana)[a-z0-9-]*(?=\s)", block.text))
        return sorted(named - known_services) or ([] if named else ["no service"])
    named = set(re.findall(r"\b(?:deployment|service|hpa|pdb|secret|configmap)/[a-z0-9-]+", block.text)) | set(re.findall(r"\bapp=[a-z0-9-]+", block.text))
    named |= {f"container {name}" for name in re.findall(r" ([a-z0-9-]+)=\S+:\S+", block.text) if name != "app"}
    return sorted(named - known_objects) or ([] if named else ["no object"])
