"""The parts of the benchmark, in their order; later ones use what earlier ones found."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from benchmarks.bulk_inputs import pictures
from benchmarks.common import emit
from benchmarks.gpu import advice, cuda, end_to_end, jpegs, search
from benchmarks.gpu.forward import AS_IS, TUNINGS, Module, Run, embed, least_cosine, rate
from benchmarks.gpu.networks import spec_of, tower_of
from benchmarks.gpu.plan import Plan
from core.vectors import Vectors
from encoders.device import PRECISIONS
from encoders.geometry import Pixels
from encoders.tower import Tower


class Parts:
    """What is measured, with what was found so far."""

    def __init__(self, plan: Plan, networks: Sequence[str], contents: Sequence[bytes], folder: Path) -> None:
        self._plan = plan
        self._networks = networks
        self._contents = contents
        self._folder = folder
        self._rates: dict[tuple[str, str], dict[int, float]] = {}  # by network and precision, then batch
        self._cosines: dict[tuple[str, str], float] = {}
        self._tuned: dict[str, dict[str, float]] = {name: {} for name in TUNINGS}
        self._decoding: dict[str, dict[str, float]] = {}

    def model(self) -> None:
        """Measure the model alone, as encoders/ runs it: by precision and batch."""
        for network in self._networks:
            tower = tower_of(spec_of(network, self._folder))
            views = self._views(tower)
            exact = self._exact(tower, views)
            for precision in PRECISIONS:
                with self._measured("model", network=network, precision=precision):
                    self._model(tower, network, precision, views, exact)

    def _model(self, tower: Tower, network: str, precision: str, views: Pixels, exact: Vectors) -> None:
        plan = self._plan
        module = Module(tower, plan.device, PRECISIONS[precision], plan.backend)
        for size in plan.batches:
            batch = np.resize(views, (size, *views.shape[1:]))
            run = module.run_of(AS_IS, batch)
            cosine = least_cosine(exact, embed(run, views, size))
            cuda.forget_peak(plan.device)
            per_s = rate(run, batch, plan.device, plan.seconds)
            self._rates.setdefault((network, precision), {})[size] = per_s
            self._cosines[network, precision] = min(cosine, self._cosines.get((network, precision), 1.0))
            emit(
                "gpu_model",
                network=network,
                precision=precision,
                batch=size,
                per_s=round(per_s, 1),
                peak_mib=cuda.peak_mib(plan.device),
                least_cosine=cosine,
            )

    def decode(self) -> None:
        """Decode and resize on the CPU and on the device, alone and with the model in the fastest format."""
        plan = self._plan
        kinds = {kind: pictures(kind) for kind in plan.kinds}
        for network in self._networks:
            tower = tower_of(spec_of(network, self._folder))
            module = Module(tower, plan.device, PRECISIONS[self._fastest(network)], plan.backend)
            for kind, (what, contents) in kinds.items():
                with self._measured("decode", network=network, pictures=what):
                    some = contents[: plan.decoded]
                    run = module.run_of(AS_IS, jpegs.decode_on_cpu(some, tower.geometry))
                    rates, *vectors = jpegs.measured(some, tower.geometry, run, module, plan.seconds)
                    self._decoding[f"{network}, {kind}"] = rates
                    figures = {"per_s": rates, "least_cosine": least_cosine(*vectors)}
                    emit("gpu_decode", network=network, pictures=what, batch=len(some), **figures)

    def faiss(self) -> None:
        """Measure FAISS's flat index on the device."""
        plan = self._plan
        with self._measured("faiss"):
            emit("gpu_faiss", **search.measured(plan.supports, plan.dim, plan.device, plan.searches))

    def service(self) -> None:
        """Measure bulk jobs of the whole service on the device."""
        cuda.forget_peak(self._plan.device)
        for network in self._networks:
            fastest = max(self._rates.get((network, self._fastest(network)), {0: 100.0}).values())
            for workers in self._plan.workers:
                with self._measured("service", network=network, workers=workers):
                    figures = end_to_end.measured(
                        spec_of(network, self._folder),
                        self._contents,
                        self._folder,
                        workers=workers,
                        plan=self._plan,
                        model_per_s=fastest,
                    )
                    emit("gpu_service", network=network, workers=workers, **figures)

    def tunings(self) -> None:
        """Measure each tuning against what encoders/ does, in the fastest format."""
        for network in self._networks:
            tower = tower_of(spec_of(network, self._folder))
            precision = self._fastest(network)
            module = Module(tower, self._plan.device, PRECISIONS[precision], self._plan.backend)
            views = self._views(tower)
            for size in self._plan.tuned:
                batch = np.resize(views, (size, *views.shape[1:]))
                base = module.run_of(AS_IS, batch)
                for name in TUNINGS:
                    with self._measured("tunings", network=network, batch=size, tuning=name):
                        self._tuning(module, base, batch, network=network, name=name)

    def _tuning(self, module: Module, base: Run, batch: Pixels, *, network: str, name: str) -> None:
        """Measure a tuning and its absence in turns: a GPU's clock changes while it works."""
        plan = self._plan
        begun = time.perf_counter()
        run = module.run_of(TUNINGS[name], batch)
        found = run(batch)
        first_s = time.perf_counter() - begun
        tuned, plain = [], []
        for _ in range(3):
            module.lay_out(TUNINGS[name])
            tuned.append(rate(run, batch, plan.device, plan.seconds))
            module.lay_out(AS_IS)
            plain.append(rate(base, batch, plan.device, plan.seconds))
        ratio = float(np.median(tuned) / np.median(plain))
        self._tuned[name][f"{network} of {len(batch)}"] = ratio
        emit(
            "gpu_tuning",
            network=network,
            batch=len(batch),
            tuning=name,
            per_s=round(float(np.median(tuned)), 1),
            times_as_fast=round(ratio, 3),
            first_batch_s=round(first_s, 2),
            least_cosine=least_cosine(base(batch), found),
        )

    def advice(self) -> list[str]:
        """Return what follows from the figures."""
        found = []
        for network in self._networks:
            best = {
                precision: max(rates.values())
                for (of, precision), rates in self._rates.items()
                if of == network
            }
            if best:
                cosines = {precision: self._cosines[network, precision] for precision in best}
                found.append(advice.of_precisions(network, best, cosines))
                found.append(advice.of_batches(network, self._rates[network, self._fastest(network)]))
        found += [advice.of_decoding(what, rates) for what, rates in self._decoding.items()]
        return found + [advice.of_tuning(name, ratios) for name, ratios in self._tuned.items()]

    @contextmanager
    def _measured(self, part: str, **what: object) -> Iterator[None]:
        """Name what is left out, because it is late or because the device cannot do it."""
        try:
            if self._plan.is_late:
                raise cuda.UnavailableError(f"{self._plan.limit_s:g} s are over")
            yield
        except Exception as error:  # the boundary to a device: what it cannot do must not hide what it can
            emit("gpu", skipped=part, **what, reason=f"{type(error).__name__}: {error}"[:300])

    def _views(self, tower: Tower) -> Pixels:
        return jpegs.decode_on_cpu(self._contents[: self._plan.compared], tower.geometry)

    def _exact(self, tower: Tower, views: Pixels) -> Vectors:
        """Embed on the CPU in fp32, which is what everything is compared with."""
        module = Module(tower, "cpu", torch.float32, self._plan.backend)
        return module.run_of(AS_IS, views)(views)

    def _fastest(self, network: str) -> str:
        rates = {
            precision: max(sizes.values()) for (of, precision), sizes in self._rates.items() if of == network
        }
        return max(rates, key=rates.__getitem__) if rates else "fp16"
