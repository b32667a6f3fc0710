"""Which rules, views and indexes can be combined with prompts, or with several labels a picture."""

from __future__ import annotations

from core.collections import Index, IndexName, Labels, Prompts, Rule, RuleName, Views
from core.errors import ExemplarError
from core.label_sets import unsupported

_REGRESSION = (RuleName.AUTO, RuleName.KERNEL, RuleName.RIDGE)


def check_rule_of_prompts(rule: Rule, prompts: Prompts | None) -> None:
    """Raise `rule_invalid` if the rule does not use the collection's prompts."""
    if prompts is not None:
        _check_regression(rule, "use prompts")


def check_labels(labels: Labels, rule: Rule, prompts: Prompts | None) -> None:
    """Raise `labels_unsupported` or `rule_invalid` unless rule and prompts fit the labels of a picture."""
    if labels is Labels.ONE:
        if (rule.aim, rule.precision) != (Rule().aim, Rule().precision):
            raise ExemplarError(
                "rule_invalid", "expected aim and precision only in a collection made with labels=many"
            )
        return
    if prompts is not None:
        raise unsupported("prompts")
    if rule.max_error is not None:
        raise ExemplarError(
            "rule_invalid", "expected max_error only in a collection whose pictures have one label"
        )
    _check_regression(rule, "give several labels")


def _check_regression(rule: Rule, what: str) -> None:
    if rule.name not in _REGRESSION:
        expected = ", ".join(_REGRESSION)
        raise ExemplarError(
            "rule_invalid", f"expected one of the rules {expected}, which {what}, got {rule.name.value}"
        )


def check_views(views: Views, labels: Labels) -> None:
    """Raise `views_invalid` for views that look at parts of pictures with one label."""
    if views is Views.TILES and labels is Labels.ONE:
        raise ExemplarError(
            "views_invalid",
            "expected the views 1, flip or full; tiles, which look for each label in parts of a picture, are "
            "for collections made with labels=many",
        )


def check_index(index: Index, labels: Labels, prompts: Prompts | None) -> None:
    """Raise `index_invalid` if the index has numbers of another kind, or cannot be combined with the rest."""
    shortened = index.name in (IndexName.IVF, IndexName.RABITQ)
    if not shortened and (index.probes is not None or index.refine is not None):
        raise ExemplarError(
            "index_invalid",
            f"probes and refine belong to the indexes ivf and rabitq, got them with {index.name.value}",
        )
    if index.name is IndexName.MILVUS and prompts is not None:
        raise ExemplarError(
            "index_invalid",
            "prompts need all supports in memory: expected the index flat, ivf or rabitq, got milvus",
        )
    if index.name is IndexName.MILVUS and labels is Labels.MANY:
        raise ExemplarError(
            "index_invalid",
            "several labels need all supports in memory: expected the index flat, ivf or rabitq, got milvus",
        )
