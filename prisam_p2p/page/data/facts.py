"""The facts of a page: what is said of a run in single values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from prisam_p2p.page.data.conclusion import Conclusion
from prisam_p2p.page.data.plan_facts import PlanFacts, number, table, text, whole
from prisam_p2p.page.data.shared import MOMENTS
from prisam_p2p.page.data.timeline import PHASES
from prisam_p2p.page.redact import LEFT_OUT
from prisam_p2p.report.closure import closure_lines

_BEGAN = re.compile(r"-(\d{8}-\d{6})$")
_OF_FILES_OR_CODE = ("data_dir",)
_ANONYMOUS = re.compile(r"[\w.+:-]+")


def begun_facts(
    plan: Mapping[str, Any], facts: PlanFacts, name: str, redact: bool
) -> dict[str, Any]:
    """Return what is known of a run when it begins.

    Args:
        name: of the run folder.
        redact: say nothing of files and users' code.
    """
    settings, host = table(plan.get("settings")), table(plan.get("host"))
    topology = text(plan.get("topology"))
    algorithm = text(settings.get("algorithm"))
    code = table(plan.get("code"))
    groups = {each for each in facts.groups if each is not None}
    began = _began(name)
    if redact:
        settings = {key: _bare(key, value, code) for key, value in settings.items()}
        algorithm = text(settings["algorithm"]) if "algorithm" in settings else ""
        name = f"{topology}-{algorithm}"
        host = {key: value for key, value in host.items() if key in _OF_ANY_HOST}
    return {
        "name": name,
        "headline": "",
        "status": "running",
        "topology": topology,
        "algorithm": algorithm,
        "dataset": text(settings.get("dataset")),
        "model": text(settings.get("model")),
        "peers": len(facts.ids),
        "rounds": facts.rounds,
        "seed": whole(settings.get("seed")),
        "rounds_done": 0,
        "duration_s": None,
        "now_s": 0.0,
        "began": began,
        "host": dict(host),
        "settings": dict(settings),
        "reference_step_ms": number(table(plan.get("host")).get("reference_step_ms")),
        "mask_bits": facts.mask_bits,
        "mask_layers": [list(each) for each in facts.mask_layers],
        "classes": [str(each) for each in range(facts.classes)],
        "data_groups": len(groups),
        "models": facts.models,
        "baseline": None,
        "phases": list(PHASES),
        "moments": list(MOMENTS),
        "closure": None,
        "closure_words": [],
        "missing": [],
        "watched": [],
        "redacted": redact,
        "prisam_version": text(table(host.get("versions")).get("prisam-p2p")),
    }


_OF_ANY_HOST = ("processor", "cores", "memory_mib", "python", "versions", "reference_step_ms")


def _bare(key: str, value: Any, code: Mapping[str, Any]) -> Any:
    """Return a setting without the name of a file or of users' code."""
    if isinstance(value, str) and (
        key in code or key in _OF_FILES_OR_CODE or not _ANONYMOUS.fullmatch(value)
    ):
        return LEFT_OUT
    return value


def _began(name: str) -> str | None:
    """Return when a run began, in local time, as the launcher named its folder."""
    if found := _BEGAN.search(name):
        try:
            return datetime.strptime(found[1], "%Y%m%d-%H%M%S").isoformat(sep=" ")
        except ValueError:
            return None
    return None


def unreadable_lines(counts: Mapping[str, int]) -> list[str]:
    """Return a sentence for each journal of which lines could not be read."""
    return [
        f"{n:,} line{'s' * (n > 1)} of the journal {journal} cannot be read, and "
        f"{'are' if n > 1 else 'is'} left out"
        for journal, n in sorted(counts.items())
    ]


def concluded_facts(conclusion: Conclusion) -> dict[str, Any]:
    """Return what a run's end tells, and a folder that nobody writes to."""
    summary, baseline = conclusion.summary, conclusion.baseline
    if summary is None:
        return {"status": "unknown"}
    return {
        "status": summary["status"],
        "headline": summary["headline"],
        "rounds_done": summary["rounds_done"],
        "duration_s": summary["duration_s"],
        "baseline": baseline["algorithm"] if baseline else None,
        "closure": summary["closure"],
        "closure_words": closure_lines(summary["closure"]),
    }
