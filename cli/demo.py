"""`exemplar demo`: the whole service, from nothing to named pictures, on this machine and offline."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape

from cli.classification_report import accuracy, report_text
from cli.client import Client, Json
from cli.demo_pictures import DemoPictures, split_folder, write_digits
from cli.stack import Stack
from cli.work import run_jobs
from core.settings import read_settings
from core.specs import PACKAGED
from core.types import DecisionName

SAMPLES = 3
OF_ITS_OWN = {"EXEMPLAR_DATABASE_URL": "", "EXEMPLAR_BLOBS_URL": "", "EXEMPLAR_ENCODERS": PACKAGED[0]}
console = Console(highlight=False, soft_wrap=True)
say = console.print


@click.command()
@click.option(
    "--photos",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A folder of folders of pictures: each folder is a class.",
)
@click.option(
    "--data", type=click.Path(path_type=Path), help="Keep the data here instead of throwing it away."
)
@click.option("--port", type=int, default=0, help="Port of the API; 0 takes a free one.")
@click.option("--serve", is_flag=True, help="Leave the service running at the end, until Ctrl-C.")
def demo(photos: Path | None, data: Path | None, port: int, serve: bool) -> None:
    """Show a first result on real pictures, offline."""
    begun = time.perf_counter()
    with ExitStack() as at_end:
        scratch = Path(at_end.enter_context(tempfile.TemporaryDirectory(prefix="exemplar-demo-")))
        pictures = write_digits(scratch / "digits") if photos is None else split_folder(photos)
        stack = Stack(
            read_settings(data=data or scratch / "data", port=port), workers=1, environment=OF_ITS_OWN
        )
        at_end.callback(stack.stop)
        stack.start(lambda line: say(f"  {line} …", style="dim"))
        say(f"Service at [bold]{stack.url}[/bold]: Redis, API and one worker, each a process of its own.\n")
        client = Client(stack.url)
        for shots in (1, 5):
            answers = _one_round(client, pictures, shots)
        _show_samples(pictures, answers)
        say(f"\nDone in {time.perf_counter() - begun:.0f} s. Where to go next:")
        say("  make demo PHOTOS=path      the same with a folder of your own (a folder is a class)")
        say("  .venv/bin/exemplar up      leave the service running; its API is described at /docs")
        say("  .venv/bin/exemplar enroll PHOTOS -c things; .venv/bin/exemplar classify FILE -c things")
        if serve:
            say(f"\nThe service goes on at {stack.url} until Ctrl-C.")
            _until_interrupted()
        say("Stopping what was started.", style="dim")


def _one_round(client: Client, pictures: DemoPictures, shots: int) -> list[Json]:
    name = f"demo-{shots}-shot"
    client.ensure_collection(name)
    groups = [(label, paths[:shots]) for label, paths in pictures.supports.items()]
    enrolled = list(run_jobs(client, f"/v1/collections/{name}/enroll", groups, f"enrolling {shots} each"))
    files = [query.path for query in pictures.queries]
    path = f"/v1/collections/{name}/classify"
    begun = time.perf_counter()
    answers = [result for _, result in run_jobs(client, path, [(None, files)], "classifying")]
    took_s = time.perf_counter() - begun
    truth = [query.label for query in pictures.queries]
    guessed = [_best(answer) for answer in answers]
    say(
        f"\n[bold]{len(pictures.supports)} classes of {escape(pictures.what)}, "
        f"{shots} example(s) of each[/bold] ({len(enrolled)} enrolled), "
        f"{len(files)} held-out pictures in {took_s:.1f} s: "
        f"accuracy [bold]{accuracy(truth, guessed):.3f}[/bold]\n"
    )
    say(report_text(truth, guessed), markup=False)
    say(_doubts(truth, guessed, answers))
    return answers


def _best(answer: Json) -> str:
    """Return the likeliest class of a picture, whatever was decided; the table is of these."""
    return str(answer["candidates"][0]["label"]) if answer["status"] == "done" else "(failed)"


def _doubts(truth: Sequence[str], guessed: Sequence[str], answers: Sequence[Json]) -> str:
    """Say which of its guesses the service is sure of, and how often each sort is right."""
    right = [a == b for a, b in zip(truth, guessed, strict=True)]
    sure = [answer.get("decision") == DecisionName.KNOWN for answer in answers]
    named = [hit for hit, is_sure in zip(right, sure, strict=True) if is_sure]
    unsure = [hit for hit, is_sure in zip(right, sure, strict=True) if not is_sure]
    return (
        f"The table is of the best guess for each picture. The service itself is sure of {_share(named)} "
        f"and calls the others ambiguous or unknown: {_share(unsure)}.\n"
    )


def _share(right: Sequence[bool]) -> str:
    return f"{len(right)} ({sum(right) / len(right):.0%} of them right)" if right else "0"


def _show_samples(pictures: DemoPictures, answers: list[Json]) -> None:
    say(f"[bold]{SAMPLES} of the answers, and the examples that decided them[/bold]")
    step = max(len(answers) // SAMPLES, 1)
    for index in range(0, len(answers), step)[:SAMPLES]:
        query, answer = pictures.queries[index], answers[index]
        shown = escape(f"{query.label}/{query.path.name}")
        if answer["status"] == "failed":
            say(f"  {shown}: {escape(answer['error']['detail'])}")
            continue
        near = ", ".join(
            f"#{one['support_id']} {one['label']} ({one['similarity']:.3f})"
            for one in answer["neighbours"][:3]
        )
        say(
            f"  {shown} is [bold]{escape(answer['label'] or answer['decision'])}[/bold] "
            f"(confidence {answer['confidence']:.2f}); nearest: {escape(near)}"
        )


def _until_interrupted() -> None:
    try:
        while True:
            time.sleep(1)
    except KeyboardInterrupt:
        return
