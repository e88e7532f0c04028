"""The kinds of fault: each has a model of its parameters, some models serve several kinds."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeAlias, get_args

from pydantic import BaseModel, create_model

from prisam_p2p.faults.fault_base import Fault
from prisam_p2p.faults.link_kinds import Cut, Flap, Isolate, Partition, Shape
from prisam_p2p.faults.message_kinds import Delay, Lie, Scaled, Tamper
from prisam_p2p.faults.process_kinds import (
    FullDisk,
    Join,
    Memory,
    Pause,
    Restart,
    Slow,
    Stop,
)
from prisam_p2p.faults.timing import Table

AnyFault: TypeAlias = (
    Stop | Pause | Restart | Join | Slow | Memory | FullDisk
    | Cut | Flap | Shape | Partition | Isolate
    | Tamper | Delay | Lie | Scaled
)  # fmt: skip


def _kinds(model: type[Fault]) -> tuple[str, ...]:
    return get_args(model.model_fields["kind"].annotation)


MODELS: dict[str, type[Fault]] = {
    kind: model for model in get_args(AnyFault) for kind in _kinds(model)
}
"""Kind -> its model."""
STOPPING = frozenset({*_kinds(Stop), *_kinds(Pause), *_kinds(Restart)})
"""Kinds whose peers are down until healed."""
REPLACING = frozenset({*_kinds(Lie), *_kinds(Scaled)})
"""Kinds whose peers are rude ones until healed."""


@lru_cache
def parameters_model(kind: str) -> type[BaseModel]:
    """Return the model of the parameters of a kind as they stand in a fault plan."""
    model = MODELS[kind]
    fields: dict[str, Any] = {
        name: (field.annotation, field)
        for name, field in model.model_fields.items()
        if name in model.parameter_names()
    }
    if model is Partition:
        fields["groups"] = (list[list[str]], ...)
    return create_model(f"ParametersOf{model.__name__}", __base__=Table, **fields)
