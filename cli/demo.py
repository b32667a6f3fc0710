"""`exemplar demo`: start the service offline and show a first result on real pictures."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Event

import click
from rich.console import Console
from rich.markup import escape

from cli.class_folders import CLASS_FROM
from cli.classification_report import accuracy, report_text
from cli.client import Client, Json
from cli.command_name import command_name
from cli.demo_pictures import PHOTOGRAPHS, SHOTS, DemoPictures, split_folder, write_tiles
from cli.stack import Stack
from cli.work import run_jobs
from core.collections import DecisionName
from core.settings import read_settings

SAMPLES = 3
ABOUT_TILES = f"""\
The pictures are {len(PHOTOGRAPHS)} colour photographs that come with scikit-image and scikit-learn:
{", ".join(PHOTOGRAPHS)} (under a microscope).
Each is cut into square tiles that do not overlap. At most {SHOTS} per photograph are enrolled, the others are
classified: which photograph does this tile belong to? Tiles of one photograph share its light and colours,
which makes this easier than real work; some show nothing but sky or floor, which makes it harder. The demo
shows that the service works end to end, not how accurate it is on your own classes.
For that, run: {{command}} demo --photos FOLDER
"""
NEXT = (
    ("demo --photos FOLDER", "run this on your own folder (one subfolder per class)"),
    ("up", "start the service; its page opens in a browser"),
    ("enroll FOLDER -c things", "teach it your classes, in another terminal"),
    ("classify FILE -c things", "and ask it about a picture"),
)
console = Console(highlight=False, soft_wrap=True)
say = console.print


@click.command()
@click.option(
    "--photos",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A folder with one subfolder of pictures per class.",
)
@CLASS_FROM
@click.option(
    "--data", type=click.Path(path_type=Path), help="Keep the data in this folder instead of deleting them."
)
@click.option("--port", type=int, default=0, help="Port of the API; 0 takes a free one.")
@click.option("--serve", is_flag=True, help="Leave the service running until Ctrl-C.")
def demo(*, photos: Path | None, class_from: str | None, data: Path | None, port: int, serve: bool) -> None:
    """Show a first result on real pictures, offline."""
    begun = time.perf_counter()
    with ExitStack() as at_end:
        scratch = Path(at_end.enter_context(tempfile.TemporaryDirectory(prefix="exemplar-demo-")))
        pictures = split_folder(photos or write_tiles(scratch / "tiles"), class_from)
        settings = read_settings(data=data or scratch / "data", port=port)
        stack = Stack(settings, workers=1, environment=_isolated_environment())
        at_end.callback(stack.stop)
        stack.start(lambda line: say(f"  {line} …", style="dim"))
        say(f"Service at [bold]{stack.url}[/bold]: Redis, API and one worker, each in its own process.\n")
        say(
            ABOUT_TILES.format(command=command_name())
            if photos is None
            else f"The pictures are those in {escape(str(photos))}, one class per folder.\n"
        )
        client = Client(stack.url)
        for shots in (1, SHOTS):
            enrolled, answers = _one_round(client, pictures, shots)
        _show_samples(pictures, enrolled, answers)
        say(f"\nDone in {time.perf_counter() - begun:.0f} s. Next steps:")
        for command, what in NEXT:
            say(f"  {escape(command_name())} {command:<{max(len(one) for one, _ in NEXT)}}   {what}")
        if serve:
            say(f"\nThe service runs at {stack.url} until Ctrl-C.")
            with suppress(KeyboardInterrupt):
                Event().wait()
        say("Stopping the service.", style="dim")


def _isolated_environment() -> dict[str, str]:
    """Return settings that keep the demo off a production database and blobs, on the default encoder."""
    encoders = ",".join(read_settings({}).encoders)
    return {"EXEMPLAR_DATABASE_URL": "", "EXEMPLAR_BLOBS_URL": "", "EXEMPLAR_ENCODERS": encoders}


def _one_round(
    client: Client, pictures: DemoPictures, shots: int
) -> tuple[list[tuple[Path, Json]], list[Json]]:
    """Enrol and classify in a new collection; return both sets of results, the enrolment's with files."""
    name = f"demo-{shots}-shot"
    client.ensure_collection(name)
    encoder = client.call("GET", f"/v1/collections/{name}").json()["encoder"]
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
        f"[bold]{len(pictures.supports)} classes, {shots} example{'s' if shots > 1 else ''} of each[/bold] "
        f"({len(enrolled)} enrolled), {len(files)} held-out pictures in {took_s:.1f} s: "
        f"accuracy [bold]{accuracy(truth, guessed):.3f}[/bold]\n"
        f"Encoder: {escape(encoder)}\n"
    )
    say(report_text(truth, guessed), markup=False)
    say(_doubts(truth, guessed, answers))
    return enrolled, answers


def _best(answer: Json) -> str:
    """Return the most probable class of a picture, whatever the decision; the table uses it."""
    return str(answer["candidates"][0]["label"]) if answer["status"] == "done" else "(failed)"


def _doubts(truth: Sequence[str], guessed: Sequence[str], answers: Sequence[Json]) -> str:
    """Print how many answers were known and how many not, and the accuracy of each group."""
    right = [a == b for a, b in zip(truth, guessed, strict=True)]
    sure = [answer.get("decision") == DecisionName.KNOWN for answer in answers]
    named = [hit for hit, is_sure in zip(right, sure, strict=True) if is_sure]
    unsure = [hit for hit, is_sure in zip(right, sure, strict=True) if not is_sure]
    return (
        f"The table is of the best guess for each picture. The service calls {_share(named)} known "
        f"and the others ambiguous or unknown: {_share(unsure)}.\n"
    )


def _share(right: Sequence[bool]) -> str:
    return f"{len(right)} ({sum(right) / len(right):.0%} of them correct)" if right else "0"


def _show_samples(
    pictures: DemoPictures, enrolled: Sequence[tuple[Path, Json]], answers: Sequence[Json]
) -> None:
    say(f"[bold]{SAMPLES} of the answers, and the examples that decided them[/bold]")
    files = {result.get("support_id"): _shown(path) for path, result in enrolled}
    step = max(len(answers) // SAMPLES, 1)
    for index in range(0, len(answers), step)[:SAMPLES]:
        query, answer = _shown(pictures.queries[index].path), answers[index]
        if answer["status"] == "failed":
            say(f"  {query}: {escape(answer['error']['detail'])}")
            continue
        near = ", ".join(
            f"{files[one['support_id']]} ({one['similarity']:.3f})" for one in answer["neighbours"][:3]
        )
        say(
            f"  {query} is [bold]{escape(answer['label'] or answer['decision'])}[/bold] "
            f"(confidence {answer['confidence']:.2f}); nearest: {near}"
        )


def _shown(path: Path) -> str:
    return escape(f"{path.parent.name}/{path.name}")
