"""Writes the dashboards that Grafana is given (dashboards/*.json). With --check it writes nothing: it tells whether those that
are there are the ones that it would write, and whether promtool can read what their panels ask."""

import json
import pathlib
import subprocess
import sys
import tempfile

FOLDER = pathlib.Path(__file__).resolve().parent / "dashboards"
SOURCE = {"type": "prometheus", "uid": "prometheus"}  # datasources.yml gives it this uid
NODES = 'job="agent-memory",instance=~"$instance"'
REQUESTS = f'{NODES},path=~"/v1/.*"'


def rate(metric, labels="", by="", window="5m"):
    """The rate of a counter, summed over all nodes that are looked at."""
    grouping = f" by ({by})" if by else ""
    return f"sum{grouping} (rate({metric}{{{NODES}{',' if labels else ''}{labels}}}[{window}]))"


def quantiles(histogram, labels=NODES):
    """The lines of a histogram's usual percentiles."""
    return [(f"p{share}", f"histogram_quantile(0.{share}, sum by (le) (rate({histogram}_bucket{{{labels}}}[5m])))") for share in (50, 95, 99)]


CACHED, PROMPT, GENERATED, DOWN = 'kind="cached"', 'kind="prompt"', 'kind="generated"', 'direction="down"'

TRAFFIC = [
    ("Requests by path", "reqps", [("{{path}}", f"sum by (path) (rate(semantic_request_total{{{REQUESTS}}}[5m]))")]),
    ("Requests by status", "reqps", [("{{status_code}}", f"sum by (status_code) (rate(semantic_request_total{{{REQUESTS}}}[5m]))")]),
    ("Share of 5xx, all nodes", "percentunit", [("errors", "semantic:error_ratio:rate5m")]),
    ("Time of requests under /v1/", "s", quantiles("semantic_request_duration_seconds", REQUESTS)),
    ("Time to the first token", "s", quantiles("semantic_ttft_seconds")),
    ("Wait for a slot", "s", quantiles("semantic_queue_wait_seconds")),
    ("Tokens a second", "short", [("{{kind}}", rate("semantic_tokens_total", by="kind"))]),
    ("How answers end", "reqps", [("{{reason}}", rate("semantic_answers_total", by="reason"))]),
    ("Requests that wait", "short", [("{{instance}}", f"sum by (instance) (semantic_queue_depth{{{NODES}}})")]),
    ("Slots that are taken", "percentunit", [("{{instance}}", f"max by (instance) (semantic_slots_busy_ratio{{{NODES}}})")]),
]

MEMORY = [
    ("Pool that is taken", "percentunit", [("{{instance}}", f"max by (instance) (semantic_pool_utilization_ratio{{{NODES}}})")]),
    ("Bytes in the pool", "bytes", [
        ("taken, {{instance}}", f"sum by (instance) (semantic_pool_bytes{{{NODES}}})"),
        ("resident, {{instance}}", f"sum by (instance) (semantic_pool_resident_bytes{{{NODES}}})")]),
    ("Tokens of prompts that were read from a tier", "percentunit", [
        ("read", f"{rate('semantic_tokens_total', CACHED)} / ({rate('semantic_tokens_total', CACHED)} + {rate('semantic_tokens_total', PROMPT)})")]),
    ("Blocks that a tier had", "percentunit", [
        ("{{tier}}", f"{rate('semantic_tier_hits_total', by='tier')} / ({rate('semantic_tier_hits_total', by='tier')} "
                     f"+ {rate('semantic_tier_misses_total', by='tier')})")]),
    ("Blocks restored a second", "short", [("{{tier}}", rate("semantic_tier_restores_total", by="tier"))]),
    ("Blocks stored a second", "short", [("{{tier}}", rate("semantic_tier_stores_total", by="tier"))]),
    ("Blocks given up a second", "short", [("{{tier}}, {{reason}}", rate("semantic_eviction_total", by="tier, reason"))]),
    ("Blocks not stored a second", "short", [("{{reason}}", rate("semantic_store_dropped_total", by="reason"))]),
    ("Time to restore a sequence", "s", quantiles("semantic_restore_seconds")),
    ("Time to move a block, 95th percentile", "s", [
        ("{{tier}} {{direction}}", f"histogram_quantile(0.95, {rate('semantic_tier_block_seconds_bucket', by='le, tier, direction')})")]),
    ("Bytes in tiers", "bytes", [("{{tier}} of {{instance}}", f"sum by (instance, tier) (semantic_tier_bytes{{{NODES}}})")]),
    ("Budget of tiers that is used", "percentunit", [
        ("{{tier}} of {{instance}}", f"sum by (instance, tier) (semantic_tier_bytes{{{NODES}}}) / (sum by (instance, tier) (semantic_tier_budget_bytes{{{NODES}}}) > 0)")]),
    ("Bytes written for each token read again", "bytes", [
        ("{{tier}}", f"{rate('semantic_tier_bytes_total', DOWN, 'tier', '1h')} / on () group_left () "
                     f"({rate('semantic_tokens_total', CACHED, window='1h')} > 0)")]),
    ("Bytes between the pool and tiers a second", "Bps", [("{{tier}} {{direction}}", rate("semantic_tier_bytes_total", by="tier, direction"))]),
    ("Agents in memory", "short", [("{{instance}}", f"sum by (instance) (semantic_agents_active{{{NODES}}})")]),
]

NODE = [
    ("Ready", "bool", [("{{instance}}", f"min by (instance) (semantic_ready{{{NODES}}})")]),
    ("Tiers that take blocks", "bool", [("{{tier}} of {{instance}}", f"min by (instance, tier) (semantic_tier_healthy{{{NODES}}})")]),
    ("Memory of the process", "bytes", [("{{instance}}", f"sum by (instance) (process_resident_memory_bytes{{{NODES}}})")]),
    ("Processors in use", "short", [("{{instance}}", rate("process_cpu_seconds_total", by="instance"))]),
    ("Time of a step, 95th percentile", "s", [("{{instance}}", f"histogram_quantile(0.95, {rate('semantic_step_duration_seconds_bucket', by='le, instance')})")]),
    ("Sequences that gave their memory back", "short", [("{{instance}}", rate("semantic_preemptions_total", by="instance"))]),
    ("Bytes that wait to be stored", "bytes", [("{{instance}}", f"sum by (instance) (semantic_store_pending_bytes{{{NODES}}})")]),
    ("Age of the last store", "s", [
        ("{{tier}} of {{instance}}", f"time() - max by (instance, tier) (semantic_tier_last_store_timestamp_seconds{{{NODES}}})")]),
    ("Calls of the bucket by fault", "reqps", [("{{operation}} {{fault}}", rate("semantic_tier_calls_total", by="operation, fault"))]),
    ("Failures of tiers", "short", [("{{tier}} {{operation}} {{instance}}", rate("semantic_tier_failures_total", by="tier, operation, instance"))]),
    ("Damaged blocks", "short", [("{{tier}} of {{instance}}", f"sum by (instance, tier) (increase(semantic_tier_damaged_total{{{NODES}}}[1h]))")]),
    ("Audits by result", "short", [("{{result}}", f"sum by (result) (increase(semantic_audits_total{{{NODES}}}[1h]))")]),
    ("Goroutines", "short", [("{{instance}}", f"sum by (instance) (go_goroutines{{{NODES}}})")]),
    ("Open files", "short", [("{{instance}}", f"sum by (instance) (process_open_fds{{{NODES}}})")]),
]

TENANTS = [
    ("Requests", "reqps", [("{{tenant}}", rate("semantic_tenant_requests_total", by="tenant"))]),
    ("Tokens of prompts a second", "short", [("{{tenant}}", rate("semantic_tenant_tokens_total", PROMPT, "tenant"))]),
    ("Tokens generated a second", "short", [("{{tenant}}", rate("semantic_tenant_tokens_total", GENERATED, "tenant"))]),
    ("Share of prompts read from a tier", "percentunit", [
        ("{{tenant}}", f"{rate('semantic_tenant_tokens_total', CACHED, 'tenant')} / "
                       f"({rate('semantic_tenant_tokens_total', PROMPT, 'tenant')} > 0)")]),
]

DASHBOARDS = {"traffic": TRAFFIC, "memory": MEMORY, "nodes": NODE, "tenants": TENANTS}


def panel(number, title, unit, lines):
    return {
        "id": number + 1, "type": "timeseries", "title": title, "datasource": SOURCE,
        "gridPos": {"h": 8, "w": 12, "x": 12 * (number % 2), "y": 8 * (number // 2)},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0, "custom": {"lineWidth": 1, "fillOpacity": 10}}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}},
        "targets": [{"refId": chr(ord("A") + i), "expr": expr, "legendFormat": legend, "datasource": SOURCE} for i, (legend, expr) in enumerate(lines)],
    }


def dashboard(name, panels):
    instance = {
        "name": "instance", "label": "Node", "type": "query", "datasource": SOURCE, "multi": True, "includeAll": True, "allValue": ".*",
        "query": 'label_values(up{job="agent-memory"}, instance)', "refresh": 2, "current": {"text": "All", "value": "$__all"},
    }
    return {
        "uid": f"agent-memory-{name}", "title": f"agent-memory: {name}", "tags": ["agent-memory"], "schemaVersion": 39, "editable": False,
        "refresh": "30s", "time": {"from": "now-3h", "to": "now"}, "timezone": "utc", "templating": {"list": [instance]},
        "links": [{"type": "dashboards", "tags": ["agent-memory"], "title": "agent-memory", "asDropdown": False, "keepTime": True}],
        "panels": [panel(i, *one) for i, one in enumerate(panels)],
    }


def check_queries():
    """Has promtool read each panel's query, as the expression of a rule."""
    rules = [{"record": "panel:query", "expr": expr.replace("$instance", ".*"), "labels": {"panel": title, "line": str(i)}}
             for panels in DASHBOARDS.values() for title, _, lines in panels for i, (_, expr) in enumerate(lines)]
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        json.dump({"groups": [{"name": "panels", "rules": rules}]}, file)  # JSON is YAML
        file.flush()
        subprocess.run(["promtool", "check", "rules", file.name], check=True)


def main():
    stale = []
    for name, panels in DASHBOARDS.items():
        path, text = FOLDER / f"{name}.json", json.dumps(dashboard(name, panels), indent=1) + "\n"
        if "--check" in sys.argv[1:]:
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                stale.append(path.name)
        else:
            path.write_text(text, encoding="utf-8")
    if stale:
        raise SystemExit(f"dashboards.py: {', '.join(stale)} are not what it writes: change this program and run make dashboards")
    if "--check" in sys.argv[1:]:
        check_queries()


if __name__ == "__main__":
    main()
