"""The three parts of the benchmark, each returning plain dictionaries for table and JSON."""

from functools import partial
from typing import Any

import jax
import numpy as np

import problems.chain
import problems.logistic
import problems.reference
from contestants.interface import Contestant, Missing
from field import CHAIN, LOGISTIC, assemble
from measuring import compile_seconds, take_turns

Row = dict[str, Any]


def _relative_error(found: np.ndarray, exact: np.ndarray) -> float:
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))


def _compile_times(field: list[Contestant | Missing], problem) -> dict[str, Any]:
    jobs = {}
    for c in field:
        if isinstance(c, Contestant) and c.compiles:
            jobs[c.name] = partial(c.gradient, *c.prepare(problem))
    return compile_seconds(jobs, jax.clear_caches)


def _race(field, problem, reference, compiled, rounds: int) -> list[Row]:
    rows, jobs = [], {}
    for c in field:
        row: Row = {"name": c.name}
        rows.append(row)
        if isinstance(c, Missing):
            row["missing"] = c.reason
            continue
        row |= {"settings": c.settings, "by_hand": c.by_hand}
        parts = c.prepare(problem)
        try:
            row["gradient_error"] = _relative_error(c.gradient(*parts), reference.gradient)
            row["solution_error"] = _relative_error(c.solve(*parts), reference.solution)
        except Exception as error:
            row["missing"] = f"failed: {str(error).splitlines()[0][:90]}"
            continue
        jobs[c.name, "solve"] = partial(c.solve, *parts)
        jobs[c.name, "gradient"] = partial(c.gradient, *parts)
    times = take_turns(jobs, rounds)
    for row in rows:
        if "missing" in row:
            continue
        row["solve"] = times[row["name"], "solve"]._asdict()
        row["gradient"] = times[row["name"], "gradient"]._asdict()
        compile_time = compiled.get(row["name"])
        row["compile"] = None if compile_time is None else compile_time._asdict()
    return rows


def logistic(rounds: int) -> dict[str, Any]:
    """Both versions; they share shapes and so compiled programs and compile times."""
    field = assemble(LOGISTIC)
    versions = [problems.logistic.easy(), problems.logistic.hard()]
    compiled = _compile_times(field, versions[0])
    parts = {}
    for problem in versions:
        reference = problems.reference.solve_precisely(problem)
        parts[problem.name] = {
            "title": f"Logistic regression, 200 log penalties, {problem.name} "
            f"(condition number {reference.condition:.3g})",
            "rows": _race(field, problem, reference, compiled, rounds),
        }
    return parts


def chain(rounds: int) -> dict[str, Any]:
    field, problem = assemble(CHAIN), problems.chain.chain()
    reference = problems.chain.solve_precisely(problem)
    compiled = _compile_times(field, problem)
    rows = _race(field, problem, reference, compiled, rounds)
    return {"chain": {"title": "Smoothing a signal, 3000 variables", "rows": rows}}


def outside_jit(rounds: int) -> dict[str, Any]:
    """Repeated calls of the easy version, the whole under `jax.jit` against none of it."""
    rows, jobs = [], {}
    for entry in LOGISTIC:
        if entry[2] not in ("argrad", "JAXopt L-BFGS"):
            continue
        (c,) = assemble((entry,))
        rows.append({"name": c.name})
        if isinstance(c, Missing):
            rows[-1]["missing"] = c.reason
            continue
        parts = c.prepare(problems.logistic.easy())
        for what, compiled, plain in (
            ("solve", c.solve, c.solve_plain),
            ("gradient", c.gradient, c.gradient_plain),
        ):
            jobs[c.name, what, "inside"] = partial(compiled, *parts)
            jobs[c.name, what, "outside"] = partial(plain, *parts)
    for job in jobs.values():
        job()
    times = take_turns(jobs, rounds)
    for row in rows:
        if "missing" not in row:
            for what in ("solve", "gradient"):
                for where in ("inside", "outside"):
                    row[f"{what}_{where}"] = times[row["name"], what, where]._asdict()
    return {"outside_jit": {"title": "The easy version, repeated calls", "rows": rows}}
