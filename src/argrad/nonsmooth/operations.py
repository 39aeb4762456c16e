"""What is known of the operations of a traced function: which are smooth, what replaces others.

Here they are found, and who uses what they return; `replace` goes through them.
"""

from typing import Any

import jax.numpy as jnp
from jax.extend import core as jex

_LARGEST = "τ log Σ exp(x/τ)"
RULES = {
    "max": ("τ log(exp(a/τ) + exp(b/τ))", "τ log 2"),
    "min": ("−τ log(exp(−a/τ) + exp(−b/τ))", "τ log 2"),
    "abs": ("τ log(exp(x/τ) + exp(−x/τ))", "τ log 2"),
    "sign": ("tanh(x/τ)", "1"),
    "clamp": ("soft max and min", "τ log 2"),
    "reduce_max": (_LARGEST, "τ log n"),
    "reduce_min": ("−τ log Σ exp(−x/τ)", "τ log n"),
    "sort": ("differences of soft sums of the largest", "τ log(n choose n/2)"),
    "top_k": ("differences of soft sums of the largest", "τ log(n choose k)"),
    "gt": ("1/(1 + exp(−(a − b)/τ))", "1/2 where a = b"),
    "ge": ("1/(1 + exp(−(a − b)/τ))", "1/2 where a = b"),
    "lt": ("1/(1 + exp((a − b)/τ))", "1/2 where a = b"),
    "le": ("1/(1 + exp((a − b)/τ))", "1/2 where a = b"),
}
INDEX = "an index is an integer; argrad.soft.argmax, rank and permutation give weights instead"
JUMP = "a step for every integer"
LEFT = {
    "argmax": INDEX,
    "argmin": INDEX,
    "floor": JUMP,
    "ceil": JUMP,
    "round": JUMP,
    "rem": JUMP,
    "cummax": "no rule for running maxima",
    "cummin": "no rule for running minima",
    "reduce_precision": "rounding",
}
LOGIC = {"and", "or", "not", "reduce_and", "reduce_or"}
SHAPES = {"broadcast_in_dim", "reshape", "squeeze", "transpose", "slice", "rev", "copy"}
NESTED = {"jit", "pjit", "closed_call", "core_call", "checkpoint", "custom_jvp_call"}
NESTED |= {"custom_vjp_call", "custom_lin"}
SMOOTH = {"logaddexp", "logaddexp2", "sinc", "_sinc_maclaurin", "xlogy", "xlog1py"}  # whole
BRANCHING = {"cond", "scan", "while"}


def users_of(jaxpr) -> dict[Any, set[str]]:
    """The names of the operations that use each variable, "out" for a result of the function."""
    users: dict[Any, set[str]] = {}
    for var in jaxpr.outvars:
        if not isinstance(var, jex.Literal):
            users.setdefault(var, set()).add("out")
    for eqn in reversed(jaxpr.eqns):
        names = set().union(*(users.get(var, set()) for var in eqn.outvars))
        if not names:
            continue
        # What ends in a stopped gradient, ends there however it gets to it.
        name = "stop_gradient" if names == {"stop_gradient"} else eqn.primitive.name
        for atom in eqn.invars:
            if not isinstance(atom, jex.Literal):
                users.setdefault(atom, set()).add(name)
    return users


def inner(eqn):
    for name in ("jaxpr", "call_jaxpr", "fun_jaxpr"):
        if name in eqn.params:
            found = eqn.params[name]
            return found if hasattr(found, "consts") else jex.ClosedJaxpr(found, ())
    raise NotImplementedError(f"{eqn.primitive.name} has no jaxpr to look into.")


def function_name(eqn) -> str:
    return inner(eqn).jaxpr.debug_info.func_name.split(" ")[0]


def is_smooth(jaxpr, comparing_integers: bool = False) -> bool:
    """Whether nothing in it, however deep, would be replaced or left."""
    for eqn in jaxpr.eqns:
        name = eqn.primitive.name
        if name in RULES or name in LEFT or name in BRANCHING:
            aval = eqn.invars[0].aval
            if not comparing_integers or jnp.issubdtype(aval.dtype, jnp.floating):
                return False
        converts = name == "convert_element_type" and not jnp.issubdtype(
            eqn.params["new_dtype"], jnp.floating
        )
        if converts and jnp.issubdtype(eqn.invars[0].aval.dtype, jnp.floating):
            return False
        if not all(
            is_smooth(part, comparing_integers) for part in jex.jaxprs_in_params(eqn.params)
        ):
            return False
    return True
