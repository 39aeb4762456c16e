"""The three parts of the benchmark, each returning plain dictionaries for table and JSON."""

from functools import partial
from typing import Any

import jax
import numpy as np

from contestants.interface import Missing
from measuring import compile_seconds, take_turns
from qp import problems, reference, spoiling
from qp.contestants.interface import Contestant
from qp.errors import message, summary
from qp.field import FIELD, SPOILT, assemble

Row = dict[str, Any]


def _enter(c: Contestant | Missing) -> Row:
    if isinstance(c, Missing):
        return {"name": c.name, "missing": c.reason}
    return {"name": c.name, "settings": c.settings, "by_hand": c.by_hand}


def _run(rows: list[Row], jobs: dict, rounds: int) -> None:
    """Time the jobs (name, what) in turns and put the medians into the rows."""
    for (name, what), seconds in take_turns(jobs, rounds).items():
        next(row for row in rows if row["name"] == name)[what] = seconds._asdict()


def _about(batch: problems.Batch, exact: reference.Reference) -> str:
    return (
        f"{problems.BATCH} problems of {problems.VARIABLES} variables, "
        f"{problems.INEQUALITIES} inequalities of which {exact.active.sum(1).mean():.1f} active, "
        f"{problems.EQUALITIES} equalities\n  reference: within "
        f"{reference.central_difference_error(batch, exact):.0e} of central differences; no "
        f"multiplier or slack below {exact.margin:.0e}"
    )


def layer(rounds: int) -> dict[str, Any]:
    batch = problems.random()
    exact = reference.solve_precisely(batch)
    rows, jobs, to_compile = [], {}, {}
    for c in assemble(FIELD):
        row = _enter(c)
        rows.append(row)
        if "missing" in row:
            continue
        given = c.prepare(batch)
        solve, gradient = partial(c.solve, *given), partial(c.gradient, *given)
        try:
            row |= summary(solve(), gradient(), exact)
        except Exception as error:
            row["missing"] = f"failed: {message(error)[:90]}"
            continue
        jobs |= {(c.name, "solve"): solve, (c.name, "gradient"): gradient}
        if c.compiles:
            to_compile[c.name] = gradient
    compiled = compile_seconds(to_compile, jax.clear_caches)
    for row in rows:
        seconds = compiled.get(row["name"])
        row["compile"] = seconds and seconds._asdict()
    _run(rows, jobs, rounds)
    return {"layer": {"kind": "layer", "title": _about(batch, exact), "rows": rows}}


def resolve(rounds: int) -> dict[str, Any]:
    """Those that can start from an earlier solution, after p and h have changed a little."""
    before = problems.random()
    after = problems.moved(before)
    exact, exact_before = reference.solve_precisely(after), reference.solve_precisely(before)
    rows, jobs = [], {}
    for c in assemble(FIELD):
        if isinstance(c, Contestant) and c.resolve is None:
            continue
        row = _enter(c)
        if "missing" in row:
            continue
        rows.append(row)
        try:
            earlier, given = c.keep(*c.prepare(before)), c.prepare(after)
            cold = partial(c.solve, *given)
            warm = partial(c.resolve, earlier, *given)
            gradient = partial(c.resolve_gradient, earlier, *given)
            cold()
            row |= summary(warm(), gradient(), exact)
        except Exception as error:
            row["missing"] = f"failed: {message(error)[:90]}"
            continue
        jobs |= {(c.name, "cold"): cold, (c.name, "warm"): warm, (c.name, "gradient"): gradient}
    _run(rows, jobs, rounds)
    changed = int(np.sum(np.any(exact.active != exact_before.active, axis=1)))
    title = (
        f"Again after p and h changed by {problems.CHANGE:.0%}, from the solution before "
        f"(the active set changed in {changed} problems)"
    )
    return {"resolve": {"kind": "resolve", "title": title, "rows": rows}}


def infeasible(_: int) -> dict[str, Any]:
    """One problem of the batch has no solution: who says so, and what becomes of the others."""
    whole = problems.random()
    field = assemble(SPOILT)
    parts = {}
    for what, batch, k in (
        ("infeasible", problems.with_infeasible(whole), problems.INFEASIBLE),
        ("unbounded", problems.with_unbounded(whole), problems.UNBOUNDED),
    ):
        rows = []
        for c in field:
            row = _enter(c)
            if "missing" not in row:
                row |= spoiling.observe(c, whole, batch, k)
            rows.append(row)
        title = f"Problem {k} of the batch made {what}"
        parts[what] = {"kind": "spoilt", "title": title, "rows": rows}
    return parts
