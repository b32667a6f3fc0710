"""How the peers are started and asked."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import httpx
import numpy as np

from benchmarks.bulk_naive import running_naive
from benchmarks.peers.measuring import COMPARED, Bench, Figures, measure
from benchmarks.peers.serving import end_of, served, started
from core.vectors import Vectors
from runtime.ports import free_port

HERE = Path(__file__).parent
CORES = os.cpu_count() or 1
LONGER = 5  # times as many pictures in the longer run
AskOne = Callable[[httpx.Client, str], list[float]]


def clip_retrieval(bench: Bench, python: Path) -> Figures:
    """Runs of one picture, which is its start, of some and of many; there is no way to ask it for one.

    The rate is by its own account of the seconds in which it read, computed and wrote. They include the start
    of its loader processes, so the rate is that of the pictures that the longer run has more.
    """
    begun = time.perf_counter()
    _inference(bench, python, bench.files(1))
    start_s = time.perf_counter() - begun
    few, many = bench.items, LONGER * bench.items
    out, few_s = _accounted(bench, python, few)
    _, many_s = _accounted(bench, python, many)
    vectors = np.load(out / "img_emb" / "img_emb_0.npy").astype(np.float32)
    return Figures(start_s, (many - few) / (many_s - few_s), [], vectors[:COMPARED])


def _accounted(bench: Bench, python: Path, count: int) -> tuple[Path, float]:
    """Embed so many files; return the folder of what was written, and the seconds by its own account."""
    out = _inference(bench, python, bench.files(count))
    account = json.loads((out / "stats" / "0.json").read_text())
    assert account["sample_count"] == count, account
    return out, float(account["total_duration"])


def _inference(bench: Bench, python: Path, pictures: Path) -> Path:
    """Embed all files of a folder; return the folder of what it wrote."""
    out = bench.folder / f"inference-{time.monotonic_ns()}"
    options = {
        "input_dataset": pictures,
        "output_folder": out,
        "clip_model": f"open_clip:ViT-B-32/{bench.weights.both}",
        "use_jit": False,
        "enable_text": False,
        "batch_size": 32,
        "num_prepro_workers": 2,
    }
    command = [python.parent / "clip-retrieval", "inference"]
    command += [part for name, value in options.items() for part in (f"--{name}", value)]
    log = bench.folder / "clip-retrieval.log"
    with started(command, log) as process:
        if process.wait():
            raise RuntimeError(f"it failed: {end_of(log)}")
    return out


def infinity(bench: Bench, python: Path) -> Figures:
    model = bench.weights.hugging_face(python)
    port = free_port()
    options = ["--engine", "torch", "--device", "cpu", "--no-bettertransformer", "--batch-size", "16"]
    command = [python.parent / "infinity_emb", "v2", "--model-id", model, *options, "--host", "127.0.0.1"]
    with served("infinity", bench, [*command, "--port", port], port) as server:
        fields = {"model": model.name, "modality": "image"}
        embed = partial(openai_embeddings, server.http, "/embeddings", fields)
        return measure(bench, embed, server.until_answers(embed), callers=4, per_request=16)


def bento_ml(bench: Bench, python: Path) -> Figures:
    port = free_port()
    command = [python, "-m", "bentoml", "serve", "serve_bentoml:Embedding", "--working-dir", HERE]
    return _adaptive("bentoml", bench, [*command, "--host", "127.0.0.1", "--port", port], port, _bento_one)


def lit_serve(bench: Bench, python: Path) -> Figures:
    port = free_port()
    return _adaptive("litserve", bench, [python, HERE / "serve_litserve.py", port], port, _lit_one)


def _adaptive(name: str, bench: Bench, command: Sequence[object], port: int, ask: AskOne) -> Figures:
    """Measure a server that makes batches of calls of one picture each."""
    with served(name, bench, command, port) as server:

        def embed(contents: Sequence[bytes]) -> Vectors:
            return np.array([ask(server.http, encoded(content)) for content in contents], np.float32)

        return measure(bench, embed, server.until_answers(embed), callers=32, per_request=1)


def _bento_one(http: httpx.Client, picture: str) -> list[float]:
    return http.post("/embed", json={"pictures": [picture]}).raise_for_status().json()[0]


def _lit_one(http: httpx.Client, picture: str) -> list[float]:
    return http.post("/predict", json={"picture": picture}).raise_for_status().json()["vector"]


def naive_celery(bench: Bench, _: Path) -> Figures:
    """Ask the worker of `benchmarks.bulk_naive`, with a process for each core."""
    begun = time.perf_counter()
    with running_naive(bench.weights.spec, bench.contents, CORES) as naive:
        naive.embed([0])
        start_s = time.perf_counter() - begun
        vectors = np.concatenate([naive.embed([n]) for n in range(min(COMPARED, len(bench.contents)))])
        alone_ms = []
        for n in range(bench.asks):
            asked = time.perf_counter()
            naive.embed([n % len(bench.contents)])
            alone_ms.append((time.perf_counter() - asked) * 1000)
        asked, done = time.perf_counter(), 0
        while (took_s := time.perf_counter() - asked) < bench.seconds:
            done += len(naive.embed([(done + n) % len(bench.contents) for n in range(64)]))
        return Figures(start_s, done / took_s, alone_ms, vectors)


def openai_embeddings(
    http: httpx.Client, path: str, fields: dict[str, str], contents: Sequence[bytes]
) -> Vectors:
    """Ask for vectors as OpenAI's clients do, by data URIs."""
    uris = [f"data:image/jpeg;base64,{encoded(content)}" for content in contents]
    answer = http.post(path, json={"input": uris, **fields})
    if answer.status_code != httpx.codes.OK:
        raise RuntimeError(f"{answer.status_code}: {answer.text[:300]}")
    return np.array([row["embedding"] for row in answer.json()["data"]], np.float32)


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()
