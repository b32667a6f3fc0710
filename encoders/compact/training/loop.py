"""The loop: steps from where the run stands to its end."""

from __future__ import annotations

import logging
import math
import time
from pathlib import Path

import torch

from encoders.compact.network import fold
from encoders.compact.shipped import save_compact
from encoders.compact.training.batches import Batch, TrainingSet
from encoders.compact.training.checkpoint import append_log, load_state, save_state
from encoders.compact.training.losses import feature_loss, label_loss, relation_loss
from encoders.compact.training.recipe import Recipe
from encoders.compact.training.share import Share
from encoders.compact.training.student import Student, averaged, follow, parameter_groups

LOG_STEPS, SAVE_STEPS = 50, 250

log = logging.getLogger(__name__)


class Run:
    """A training run: the student, its average, its optimiser, and the step it is at."""

    def __init__(
        self, folder: Path, training: TrainingSet, recipe: Recipe, device: str, share: Share
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.share = share
        self.folder, self.training, self.recipe, self.device = folder, training, recipe, device
        self.student = Student(training.classes).to(device).to(memory_format=torch.channels_last)
        self.average = averaged(self.student.network)
        self.optimiser = torch.optim.AdamW(
            parameter_groups(self.student, recipe.weight_decay), lr=recipe.learning_rate
        )
        self.steps = round(recipe.epochs * training.steps_per_epoch(recipe))
        self.step = 0
        self._resume()
        self.replica = share.wrap(self.student)

    def finish(self) -> None:
        """Take all steps that are left, and save the folded average."""
        self.student.train()
        since, before = time.monotonic(), self.step
        while self.step < self.steps:
            losses = self._take_step()
            if self.step % LOG_STEPS == 0 and self.share.first:
                rate = (self.step - before) * self.recipe.batch / (time.monotonic() - since)
                self._report(losses, rate)
                since, before = time.monotonic(), self.step
            if (self.step % SAVE_STEPS == 0 or self.step == self.steps) and self.share.first:
                self._save()
        if self.share.first:
            save_compact(fold(self.average), self.folder / "weights.safetensors")

    def _take_step(self) -> dict[str, float]:
        progress = self.step / self.steps
        rate = _learning_rate(self.step, self.steps, self.recipe)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        side = self.recipe.side_at(progress)
        losses = self._losses(self.training.batch_at(self.step, side, self.recipe, self.device, self.share))
        loss = sum(losses.values(), torch.zeros((), device=self.device))
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.student.parameters(), 5.0)
        self.optimiser.step()
        self.step += 1
        # early on the average would only drag the random start along
        follow(self.average, self.student.network, min(self.recipe.averaging, self.step / (self.step + 10)))
        return {name: float(value.detach()) for name, value in losses.items()}

    def _losses(self, batch: Batch) -> dict[str, torch.Tensor]:
        recipe = self.recipe
        with torch.autocast(self.device.partition(":")[0], torch.bfloat16):
            vectors, logits = self.replica(batch.views)
        return {
            "feature": recipe.feature_weight * feature_loss(vectors, batch.targets),
            "relation": recipe.relation_weight * relation_loss(vectors, batch.targets),
            "label": recipe.label_weight * label_loss(logits, batch.labels),
        }

    def _report(self, losses: dict[str, float], rate: float) -> None:
        entry = {"step": self.step, "steps": self.steps, "pictures_per_s": round(rate, 1)}
        append_log(self.folder, entry | {name: round(value, 4) for name, value in losses.items()})
        left_s = (self.steps - self.step) * self.recipe.batch / rate
        shown = " ".join(f"{name} {value:.3f}" for name, value in losses.items())
        log.info(
            "step %d of %d, %.0f pictures/s, %.0f min left, %s",
            self.step,
            self.steps,
            rate,
            left_s / 60,
            shown,
        )

    def _save(self) -> None:
        save_state(
            self.folder,
            {
                "step": self.step,
                "student": self.student.state_dict(),
                "average": self.average.state_dict(),
                "optimiser": self.optimiser.state_dict(),
            },
        )

    def _resume(self) -> None:
        state = load_state(self.folder, self.device)
        if state is None:
            return
        self.step = state["step"]
        self.student.load_state_dict(state["student"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        log.info("going on from step %d", self.step)


def _learning_rate(step: int, steps: int, recipe: Recipe) -> float:
    """Rise over the warm-up, then fall along a half cosine to a hundredth."""
    warm = min(1.0, (step + 1) / recipe.warmup_steps)
    fall = 0.01 + 0.99 * (1 + math.cos(math.pi * step / steps)) / 2
    return recipe.learning_rate * warm * fall
