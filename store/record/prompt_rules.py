"""Which rules and indexes can be combined with prompts."""

from __future__ import annotations

from core.errors import ExemplarError
from core.types import Index, IndexName, Prompts, Rule, RuleName

_OF_TEXTS = (RuleName.AUTO, RuleName.KERNEL, RuleName.RIDGE)


def check_rule_of_prompts(rule: Rule, prompts: Prompts | None) -> None:
    """Raise `rule_invalid` if the rule does not use the collection's prompts."""
    if prompts is not None and rule.name not in _OF_TEXTS:
        expected = ", ".join(name.value for name in _OF_TEXTS)
        raise ExemplarError(
            "rule_invalid",
            f"expected one of the rules {expected}, which use prompts, got {rule.name.value}",
        )


def check_index(index: Index, prompts: Prompts | None) -> None:
    """Raise `index_invalid` if the index has numbers of another kind, or cannot be combined with prompts."""
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
