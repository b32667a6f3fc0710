"""Views of a collection's report, which one job makes for each version, rule and index."""

from __future__ import annotations

from functools import partial

from flask import Response

from api.confusion import confusion_svg
from api.inputs import AsOfQuery
from api.made import has_succeeded, make, only_result
from api.prefer import accepted, wait_s
from api.routes import Routes, as_json
from api.services import check_offered, services
from core.collections import Collection, Labels
from core.errors import ExemplarError, error_of
from core.jobs import Item, Job, JobKind, JobRequest, Lane
from core.label_report import LabelReport
from core.label_sets import unsupported
from core.report import CollectionReport, ReviewedAutomatic
from core.results import Result
from core.shares import upper_bound
from store.record.keys import Scope

routes = Routes("reports")

NOT_ASKED = -1.0


@routes.add(
    "GET", "/collections/<collection>/report", scope=Scope.CLASSIFY, answer=CollectionReport, may_wait=True
)
def get_report(collection: str, query: AsOfQuery) -> Response:
    """Report a collection's accuracy, confusions and label errors, and which pictures to add."""
    made = _report(collection, query)
    return accepted(made) if isinstance(made, Job) else _applied(as_json(_with_reviews(collection, made)))


@routes.add(
    "GET",
    "/collections/<collection>/report/confusion.svg",
    scope=Scope.CLASSIFY,
    media_types=("image/svg+xml",),
    may_wait=True,
)
def get_confusion(collection: str, query: AsOfQuery) -> Response:
    """Draw the report's confusion matrix."""
    made = _report(collection, query)
    if isinstance(made, Job):
        return accepted(made)
    return _applied(Response(_draw(collection, made), content_type="image/svg+xml; charset=utf-8"))


@routes.add(
    "GET", "/collections/<collection>/report/labels", scope=Scope.CLASSIFY, answer=LabelReport, may_wait=True
)
def get_label_report(collection: str, query: AsOfQuery) -> Response:
    """Report how well a collection of several labels a picture knows each label, and what looks wrong."""
    made = _made(collection, query, Labels.MANY)
    if isinstance(made, Job):
        return accepted(made)
    return _applied(as_json(LabelReport.model_validate(made["label_report"])))


def _report(name: str, query: AsOfQuery) -> CollectionReport | Job:
    """Return the report of a version, or the job that is making it."""
    made = _made(name, query, Labels.ONE)
    return made if isinstance(made, Job) else CollectionReport.model_validate(made["report"])


def _with_reviews(collection: str, report: CollectionReport) -> CollectionReport:
    """Return a report whose error budget has what people said of automatic answers since."""
    if report.error_budget is None:
        return report
    counts = [(one.answers, one.wrong) for one in services().store.reviews.automatic(collection)]
    answers, wrong = counts[0] if counts else (0, 0)
    reviewed = ReviewedAutomatic(
        answers=answers,
        wrong=wrong,
        share=round(wrong / answers, 6) if answers else None,
        upper_bound=round(upper_bound(wrong, answers), 6) if answers else None,
    )
    budget = report.error_budget.model_copy(update={"reviewed": reviewed})
    return report.model_copy(update={"error_budget": budget})


def _made(name: str, query: AsOfQuery, labels: Labels) -> Result | Job:
    """Return the result with the report of a collection as it is or was, or the job that is making it."""
    store, version = services().store, query.version
    collection = store.collections.find(name) if version is None else store.history.at(name, version)
    if collection.labels is not labels:
        raise unsupported("report", "see report/labels") if labels is Labels.ONE else _of_one()
    check_offered(collection.encoder)
    key, options = _key(collection), {}
    if version is not None:
        key, options = f"{key}:past", {"version": collection.version}
    asked = JobRequest(collection.name, JobKind.REPORT, Lane.INTERACTIVE, [Item(0)], options=options)
    return make(asked, key, is_good=partial(_is_of, collection), read=_read)


def _of_one() -> ExemplarError:
    return ExemplarError(
        "labels_unsupported", "this is for collections with labels=many; for one label a picture see report"
    )


def _key(collection: Collection) -> str:
    """Return what is the same for all who ask for the report of this version and rule."""
    rule = collection.rule
    index = f"{collection.index}:{collection.index_measured}"  # the report shows both
    key = f"report:{collection.id}:{collection.version}:{rule.name}:{rule.metric}:{index}"
    if collection.labels is Labels.MANY:
        key += f":{rule.aim}:{rule.precision}"
    else:  # which the error budget rests on
        key += f":{rule.max_error}:{rule.error_of}:{rule.certainty}:{rule.false_reject}"
    return key


def _is_of(collection: Collection, job: Job) -> bool:
    """Return whether a finished job has the report; the rule may have changed before the job ran."""
    if not has_succeeded(job):
        return False
    result, rule = _read(job.id), collection.rule
    if "label_report" in result:
        several = LabelReport.model_validate(result["label_report"])
        return (several.rule, several.aim, several.precision) == (rule.name, rule.aim, rule.precision)
    report = CollectionReport.model_validate(result["report"])
    budget = report.error_budget
    rests_on = (None, rule.error_of) if budget is None else (budget.max_error, budget.error_of)
    asked = (rule.name, rule.metric, rule.max_error, rule.error_of)
    return (report.rule, report.metric, *rests_on) == asked


def _read(job_id: str) -> Result:
    result = only_result(job_id)
    if result["status"] == "done":
        return result
    error = error_of(result["error"])
    if error.code == "collection_not_found":
        raise error
    raise ExemplarError("report_failed", f"the report could not be made: {error.message}", retry=True)


def _draw(name: str, report: CollectionReport) -> str:
    found = "nothing judged yet"
    if report.accuracy is not None:
        found = f"accuracy {report.accuracy:.3f} of {report.judged} supports"
    return confusion_svg(
        report.confusion.labels,
        report.confusion.counts,
        title=f"{name}, version {report.version}: {found}",
        classes=len(report.classes),
    )


def _applied(response: Response) -> Response:
    response.headers["Cache-Control"] = "private, no-cache"
    asked_s = wait_s(NOT_ASKED)
    if asked_s != NOT_ASKED:
        response.headers["Preference-Applied"] = f"wait={asked_s:g}"
    return response
