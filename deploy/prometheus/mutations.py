"""Changes the rules in one place after the other and runs the tests of the rules: each change must make one fail, and each
test must be failed by a change, or it tells nothing. Needs promtool."""

import pathlib
import re
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
RULES = (HERE / "rules.yml").read_text(encoding="utf-8")
TESTS = (HERE / "rules_test.yml").read_text(encoding="utf-8")

# What is changed, by the alert or record it stands in: a text, and what stands there instead.
CHANGES = [
    ("SemanticPoolNearExhaustion", "> 0.90", "> 1.80"), ("SemanticPoolNearExhaustion", "> 0.90", "> 0.45"),
    ("SemanticPoolNearExhaustion", "> 0.90", ">= 0.90"), ("SemanticPoolNearExhaustion", "for: 5m", "for: 10m"),
    ("SemanticPoolNearExhaustion", "for: 5m", "for: 2m"),
    ("SemanticPoolNearExhaustion", "expr: semantic_pool_utilization_ratio", "expr: avg(semantic_pool_utilization_ratio)"),
    ("SemanticPoolNearExhaustion", "#semanticpoolnearexhaustion", "#pool"),
    ("SemanticHighErrorRate", "> 0.05", "> 0.10"), ("SemanticHighErrorRate", "> 0.05", "> 0.025"),
    ("SemanticHighErrorRate", "> 0.05", ">= 0"), ("SemanticHighErrorRate", "> 0.05", "!= 0"),
    ("SemanticHighErrorRate", "for: 10m", "for: 20m"), ("SemanticHighErrorRate", "for: 10m", "for: 5m"),
    ("SemanticHighErrorRate", "for: 10m", "for: 0m"),
    ("SemanticHighErrorRate", "semantic:error_ratio:rate5m", "absent(semantic:requests:rate5m)"),
    ("semantic:error_ratio:rate5m", "expr: semantic:requests_5xx:rate5m", "expr: 1 - 0 * semantic:requests_5xx:rate5m"),
    ("semantic:error_ratio:rate5m", "expr: semantic:requests_5xx:rate5m / semantic:requests:rate5m",
     'expr: max(sum by (instance) (rate(semantic_request_total{path=~"/v1/.*",status_code=~"5.."}[5m])) '
     '/ sum by (instance) (rate(semantic_request_total{path=~"/v1/.*"}[5m])))'),
    ("semantic:requests:rate5m", '{path=~"/v1/.*"}', ""),
    ("semantic:requests_5xx:rate5m", 'path=~"/v1/.*",', ""), ("semantic:requests_5xx:rate5m", '"5.."', '"[45].."'),
    ("semantic:requests_5xx:rate5m", " or semantic:requests:rate5m * 0", ""),
    ("semantic:requests_5xx:rate5m", 'sum(rate(semantic_request_total{path=~"/v1/.*",status_code=~"5.."}[5m]))',
     'rate(sum(semantic_request_total{path=~"/v1/.*",status_code=~"5.."})[5m:15s])'),
    ("SemanticHealthCheckFailing", 'up{job="agent-memory"} == 0 or ', ""), ("SemanticHealthCheckFailing", "or semantic_ready == 0 ", ""),
    ("SemanticHealthCheckFailing", ' or absent(up{job="agent-memory"})', ""),
    ("SemanticHealthCheckFailing", 'up{job="agent-memory"} == 0', "up == 0"),
    ("SemanticHealthCheckFailing", "for: 2m", "for: 4m"), ("SemanticHealthCheckFailing", "for: 2m", "for: 30s"),
    ("SemanticHealthCheckFailing", "semantic_ready == 0", 'present_over_time(up{job="agent-memory"}[10m]) unless up'),
    ("SemanticHighLatency", "> 3", "> 6"), ("SemanticHighLatency", "> 3", "> 1.5"), ("SemanticHighLatency", "> 3", "!= 3"),
    ("SemanticHighLatency", "for: 5m", "for: 10m"), ("SemanticHighLatency", "for: 5m", "for: 2m"),
    ("semantic:request_duration_seconds:bucket_rate5m", '{path=~"/v1/.*"}', ""),
    ("semantic:request_duration_seconds:bucket_rate5m", "sum by (le)", "sum by (le, instance)"),
    ("semantic:request_duration_seconds:p95_5m", "0.95", "0.89"),
    ("SemanticPoolUtilizationHigh", "> 0.80", "> 1.60"), ("SemanticPoolUtilizationHigh", "> 0.80", "> 0.40"),
    ("SemanticPoolUtilizationHigh", "> 0.80", ">= 0.80"), ("SemanticPoolUtilizationHigh", "for: 5m", "for: 10m"),
    ("SemanticPoolUtilizationHigh", "for: 5m", "for: 2m"),
    ("SemanticHighEvictionRate", "rate10m > 1", "rate10m > 2"), ("SemanticHighEvictionRate", "rate10m > 1", "rate10m > 0.5"),
    ("SemanticHighEvictionRate", "rate10m > 1", "rate10m >= 0"),
    ("SemanticHighEvictionRate", "* 0.5", "* 1"), ("SemanticHighEvictionRate", "* 0.5", "* 0.25"),
    ("SemanticHighEvictionRate", "* 0.1", "* 0.2"), ("SemanticHighEvictionRate", "* 0.1", "* 0.05"),
    ("SemanticHighEvictionRate", "for: 10m", "for: 20m"), ("SemanticHighEvictionRate", "for: 10m", "for: 5m"),
    ("semantic:evictions_for_memory:rate10m", ',reason=~"memory|memory_lost"', ""),
    ("semantic:evictions_for_memory:rate10m", 'tier="pool",', ""),
    ("semantic:evictions_lost:rate10m", 'reason="memory_lost"', 'reason="memory"'),
    ("semantic:restores:rate10m", "sum by", "max by"),
]


def changed(rule, text, instead):
    """The rules with one of them changed."""
    found = re.search(rf"- (?:alert|record): {rule}\n.*?(?=\n\s*- (?:alert|record):|\n\s*#|\n\n|\Z)", RULES, re.DOTALL)
    if found is None or found.group().count(text) != 1:
        raise SystemExit(f"mutations.py: {rule} has not {text!r} once; it belongs to other rules")
    return RULES[:found.start()] + found.group().replace(text, instead) + RULES[found.end():]


def failing(folder, rules):
    """The names of the tests that fail for these rules, each of which runs alone."""
    (folder / "rules.yml").write_text(rules, encoding="utf-8")
    told = subprocess.run(["promtool", "test", "rules", *map(str, sorted(folder.glob("*_test.yml")))],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return {int(part.split("_", 1)[0]) for part in re.findall(r"Unit Testing:\s+\S*/(\d+_test\.yml)(?=\s+FAILED)", told.stdout)}


def main():
    head, *cases = re.split(r"(?=^  - name: )", TESTS, flags=re.MULTILINE)
    names = [case.split("\n", 1)[0].removeprefix("  - name: ") for case in cases]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for i, case in enumerate(cases):
            (folder / f"{i}_test.yml").write_text(head + case, encoding="utf-8")
        if failing(folder, RULES):
            raise SystemExit("mutations.py: the tests fail on the rules as they are")
        unnoticed, telling = [], set()
        for rule, text, instead in CHANGES:
            failed = failing(folder, changed(rule, text, instead))
            telling |= failed
            if not failed:
                unnoticed.append(f"{rule}: {text} -> {instead}")
    idle = [name for i, name in enumerate(names) if i not in telling]
    for line in unnoticed:
        print("no test notices the change", line)
    for name in idle:
        print("no change fails the test:", name)
    if unnoticed or idle:
        raise SystemExit(1)
    print(f"{len(CHANGES)} changes of the rules were noticed, by each of {len(names)} tests")


if __name__ == "__main__":
    main()
