"""Time from the start of the API's process to its first answer, with compiled bytecode.

python -m benchmarks.api_start
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time

import numpy as np

from benchmarks.common import emit
from runtime.ports import free_port

RUNS = 7


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="exemplar-start-") as folder:
        first, *warm = [_start_s(folder) for _ in range(RUNS + 1)]
    emit(
        "api_start",
        first_start_s=round(first, 2),
        runs=RUNS,
        median_s=round(float(np.median(warm)), 2),
        slowest_s=round(max(warm), 2),
    )


def _start_s(folder: str) -> float:
    port = free_port()
    environment = {**os.environ, "EXEMPLAR_DATA": folder, "EXEMPLAR_LOG_LEVEL": "WARNING"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    begun = time.perf_counter()
    command = [sys.executable, "-m", "exemplar_service", "api", "--port", str(port)]
    process = subprocess.Popen(command, env=environment)
    try:
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
                    connection.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
                    if connection.recv(64).startswith(b"HTTP/1.0 200"):
                        return time.perf_counter() - begun
            except OSError:
                time.sleep(0.005)
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
