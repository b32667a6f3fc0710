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
        trial = Trial(client, pictures)
        trial.enroll(1)
        trial.classify()
        trial.enroll(SHOTS)
        trial.decide_again()
        _show_samples(pictures, trial.enrolled, trial.answers)
        say(f"\nDone in {time.perf_counter() - begun:.0f} s. Next steps:")
        for command, what in NEXT:
            say(f"  {escape(command_name())} {command:<{max(len(one) for one, _ in NEXT)}}   {what}")
        if serve:
            say(f"\nThe service runs at {stack.url} until Ctrl-C.")
            with suppress(KeyboardInterrupt):
                Event().wait()
        say("Stopping the service.", style="dim")


def _isolated_environment() -> dict[str, str]:
    """Return settings that keep the demo off a production record and blobs, with what it needs."""
    encoders = ",".join(read_settings({}).encoders)
    return {
        "EXEMPLAR_DATABASE_URL": "",
        "EXEMPLAR_BLOBS_URL": "",
        "EXEMPLAR_ENCODERS": encoders,
        "EXEMPLAR_KEEP_VECTORS": "true",
    }


class Trial:
    """A collection whose held-out pictures are classified once, and decided again after more examples."""

    def __init__(self, client: Client, pictures: DemoPictures) -> None:
        name = f"demo-{time.strftime('%Y%m%d-%H%M%S')}"  # the folder of --data may have one of an earlier run
        client.ensure_collection(name)
        self._path = f"/v1/collections/{name}"
        self._client = client
        self._pictures = pictures
        self._shots = 0
        self._files: dict[str, dict[int, Path]] = {}  # of each job, by item
        self._answers: dict[Path, Json] = {}
        self.enrolled: list[tuple[Path, Json]] = []

    @property
    def answers(self) -> list[Json]:
        """The newest answers, in the order of the queries."""
        return [self._answers[query.path] for query in self._pictures.queries]

    def enroll(self, shots: int) -> None:
        """Enrol what is missing of so many examples of each class."""
        new = slice(self._shots, shots)
        groups = [(label, paths[new]) for label, paths in self._pictures.supports.items()]
        self._shots = shots
        self.enrolled += run_jobs(self._client, f"{self._path}/enroll", groups, "enrolling examples")

    def classify(self) -> None:
        """Classify the held-out pictures, and say how that went."""
        begun = time.perf_counter()
        groups = [(None, [query.path for query in self._pictures.queries])]
        jobs: list[Json] = []
        for file, answer in run_jobs(
            self._client, f"{self._path}/classify", groups, "classifying", started=jobs.append
        ):
            self._answers[file] = answer
            if answer["status"] == "done":
                self._files.setdefault(jobs[-1]["id"], {})[answer["item"]] = file
        self._report(f"classified in {time.perf_counter() - begun:.1f} s")

    def decide_again(self) -> None:
        """Decide the same pictures by all examples, without reading them again, and say how that went."""
        begun = time.perf_counter()
        for job, files in self._files.items():
            self._client.wait(self._client.call("POST", f"/v1/jobs/{job}/redecide", json={}).json())
            for answer in self._client.pages(f"/v1/jobs/{job}/results"):
                if answer["item"] in files:
                    self._answers[files[answer["item"]]] = answer
        self._report(f"decided again in {time.perf_counter() - begun:.1f} s by the vectors that were kept")

    def _report(self, how: str) -> None:
        answers, truth, shots = self.answers, [query.label for query in self._pictures.queries], self._shots
        guessed = [_best(answer) for answer in answers]
        say(
            f"[bold]{len(self._pictures.supports)} classes, {shots} example{'s' if shots > 1 else ''} of "
            f"each[/bold] ({len(self.enrolled)} enrolled), {len(answers)} held-out pictures {how}: "
            f"accuracy [bold]{accuracy(truth, guessed):.3f}[/bold]\n"
            f"Encoder: {escape(self._client.call('GET', self._path).json()['encoder'])}\n"
        )
        say(report_text(truth, guessed), markup=False)
        say(_doubts(truth, guessed, answers))


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
