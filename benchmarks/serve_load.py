"""Requests a second, and how long they take, of `vivace serve`, with and without micro-batching.

python benchmarks/serve_load.py MODEL PHOTOS [--clients 1,8,32] [--seconds 8]

The server runs in one process, the clients in another; on a small machine they share its cores.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx


def load(address: str, photos: list[bytes], n_clients: int, seconds: float) -> dict[str, float]:
    """Ask with `n_clients` threads, each with one request at a time; give requests/s and times in ms."""
    until, times, failed = time.perf_counter() + seconds, [], []

    def client(number: int) -> None:
        with httpx.Client(timeout=60, verify=False) as session:  # certificates would take most of a second to read
            position = number
            while time.perf_counter() < until:
                started = time.perf_counter()
                answer = session.post(f"{address}predict", files={"files": ("a.jpg", photos[position % len(photos)])})
                (times if answer.status_code == 200 else failed).append(time.perf_counter() - started)
                position += n_clients

    threads = [threading.Thread(target=client, args=(i,)) for i in range(n_clients)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = time.perf_counter() - started
    if not times:
        raise SystemExit(f"Of {n_clients} clients none was answered; {len(failed)} were refused.")
    times.sort()
    at = lambda share: 1e3 * times[min(int(share * len(times)), len(times) - 1)]  # noqa: E731
    return {"per_second": len(times) / taken, "p50": at(0.5), "p99": at(0.99), "failed": len(failed)}


def serve(model: str, max_batch: int) -> tuple[subprocess.Popen[str], str]:
    """Start a server; give its address."""
    command = [sys.executable, "-m", "vivace", "serve", model, "--port", "0", "--max-batch", str(max_batch)]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert server.stdout is not None
    found = re.match(r"http://\S+", server.stdout.readline())
    assert found is not None
    return server, found[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("photos", type=Path)
    parser.add_argument("--clients", default="1,8,32")
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--only", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        address, n_clients = arguments.only.split(",")
        photos = [file.read_bytes() for file in sorted(arguments.photos.glob("*.jpg"))[:64]]
        load(address, photos, int(n_clients), 1)  # warm
        print(json.dumps(load(address, photos, int(n_clients), arguments.seconds)))
        return
    print("| clients | micro-batching | requests/s | p50 ms | p99 ms |")
    print("|---|---|---|---|---|")
    for n_clients in arguments.clients.split(","):
        for max_batch in (1, 16):
            server, address = serve(arguments.model, max_batch)
            try:
                command = [sys.executable, __file__, arguments.model, str(arguments.photos)]
                command += ["--seconds", str(arguments.seconds), "--only", f"{address},{n_clients}"]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            finally:
                server.terminate()
                server.wait()
            found = json.loads(done.stdout)
            how = "no" if max_batch == 1 else "yes"
            cells = [n_clients, how, *(f"{found[k]:.0f}" for k in ("per_second", "p50", "p99"))]
            note = f" ({found['failed']} failed)" if found["failed"] else ""
            print("| " + " | ".join(cells) + f" |{note}", flush=True)


if __name__ == "__main__":
    main()
