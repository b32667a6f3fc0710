"""Reports and comparisons of encoders as results of the jobs that request them."""

from __future__ import annotations

from core.collections import Labels
from core.jobs import Chunk, JobKind
from core.results import Result, done_result
from encoders import Encoder
from index.decide_many import in_memory
from index.label_report import label_report
from worker.compare import compare_encoders, compare_label_encoders
from worker.contributions import OPTION, effect
from worker.current import current_replica
from worker.report import report_on
from worker.tools import Tools


def report(tools: Tools, encoder: Encoder, chunk: Chunk) -> list[Result]:
    """Make the report that a chunk requests."""
    make = _comparison if chunk.kind is JobKind.COMPARE else _report
    return [done_result(chunk.items[0], make(tools, encoder, chunk))]


def _report(tools: Tools, encoder: Encoder, chunk: Chunk) -> Result:
    if OPTION in chunk.options:
        foretold = effect(tools, encoder, chunk)
        return {"effect": foretold.model_dump(mode="json"), "index_version": foretold.version}
    replica, collection = current_replica(tools, encoder, chunk)
    if collection.labels is Labels.MANY:
        several = label_report(in_memory(replica), collection.rule)
        return {"label_report": several.model_dump(mode="json"), "index_version": several.version}
    texts = tools.texts.texts_of(tools.store.texts, encoder, collection, replica)
    version = replica.version if "version" in chunk.options else None
    pictures = tools.store.supports.repeated_pictures(collection.id, version)
    made = report_on(replica, collection.rule, texts, pictures)
    return {"report": made.model_dump(mode="json"), "index_version": made.version}


def _comparison(tools: Tools, _: Encoder, chunk: Chunk) -> Result:
    collection_id = chunk.collection_id or 0
    collection = tools.store.collections.current(collection_id)
    if collection is not None and collection.labels is Labels.MANY:
        several = compare_label_encoders(tools.store, collection_id)
        return {"label_comparison": several.model_dump(mode="json")}
    made = compare_encoders(tools.store, collection_id)
    return {"comparison": made.model_dump(mode="json")}
