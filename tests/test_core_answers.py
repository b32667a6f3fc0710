"""One definition of an answer, for the index, the store and the API."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from api.models import ContributionModel, ExplanationModel, NeighbourModel, ResultModel
from core.answers import Answer, Candidate, Contribution, Explanation, Found, Neighbour, as_json
from core.collections import DecisionName, RuleName

ANSWER = Answer(
    decision=DecisionName.KNOWN,
    label="cat",
    confidence=0.123456789,
    candidates=(Candidate("cat", 0.75), Candidate("dog", 0.25)),
    neighbours=(Neighbour(7, "cat", 0.5),),
    rule=RuleName.KERNEL,
    explanation=Explanation(0.5, (Contribution(7, "cat", 0.5, 1.0),)),
    candidate_set=None,
    novelty=None,
    index_version=3,
)


@pytest.mark.parametrize("kind", [Answer, Found])
def test_results_over_http_have_every_field_of_what_the_index_says(kind: type) -> None:
    assert {field.name for field in fields(kind)} <= set(ResultModel.model_fields)


@pytest.mark.parametrize(
    ("shown", "kind"),
    [(NeighbourModel, Neighbour), (ContributionModel, Contribution), (ExplanationModel, Explanation)],
)
def test_supports_over_http_have_a_thumbnail_and_their_id_more_and_nothing_less(
    shown: type, kind: type
) -> None:
    more = {"thumbnail", "external_id"}
    assert {field.name for field in fields(shown)} - more == {field.name for field in fields(kind)}


def test_answer_as_json_is_what_stands_in_a_result() -> None:
    assert as_json(ANSWER.first(1)) == {
        "decision": "known",
        "label": "cat",
        "confidence": 0.123457,
        "candidates": [{"label": "cat", "probability": 0.75}],
        "neighbours": [{"support_id": 7, "label": "cat", "similarity": 0.5}],
        "rule": "kernel",
        "explanation": {
            "margin": 0.5,
            "supports": [{"support_id": 7, "label": "cat", "similarity": 0.5, "share": 1.0}],
        },
        "candidate_set": None,
        "novelty": None,
        "index_version": 3,
    }
    assert set(as_json(replace(ANSWER, label=None))) == set(as_json(ANSWER))
    assert as_json(Found(ANSWER.neighbours, 3)).keys() == {"neighbours", "index_version"}
