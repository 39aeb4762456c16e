"""The operations of a traced function, one after the other, the smooth ones as they are.

What depends on no argument that can be differentiated is computed as written.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend import core as jex
from jax.extend.source_info_util import summarize
from jaxtyping import Array, Scalar

from argrad.nonsmooth import operations, soft, truth
from argrad.nonsmooth.truth import Value, floating


class Change(NamedTuple):
    """One operation: its name, what replaces it (or why nothing does), how far off that is at
    most, and where it stands."""

    operation: str
    by: str
    off: str
    where: str


class Replacement:
    """One run through a traced function at a temperature; remembers what it replaced."""

    def __init__(self, temperature: float | Scalar):
        self.temperature = temperature
        self.smoothed: list[Change] = []
        self.left: list[Change] = []
        self.caller = ""  # what stands inside of JAX is told by where that was called

    def run(self, closed, arguments: list) -> list:
        """The outputs for these arguments."""
        return [value.hard for value in self._inline(closed, [_argument(a) for a in arguments])]

    def _inline(self, closed, values: list[Value]) -> list[Value]:
        consts = [
            Value(const, None, isinstance(const, jax.core.Tracer) and floating(const))
            for const in closed.consts
        ]
        return self._jaxpr(closed.jaxpr, consts + values)

    def _jaxpr(self, jaxpr, values: list[Value]) -> list[Value]:
        known = dict(zip([*jaxpr.constvars, *jaxpr.invars], values, strict=True))
        used = operations.users_of(jaxpr)

        def read(atom):
            return Value(atom.val) if isinstance(atom, jex.Literal) else known[atom]

        for eqn in jaxpr.eqns:
            inputs = [read(atom) for atom in eqn.invars]
            wanted = [used.get(var, set()) for var in eqn.outvars]
            for var, value in zip(eqn.outvars, self._step(eqn, inputs, wanted), strict=True):
                known[var] = value
        return [read(atom) for atom in jaxpr.outvars]

    def _step(self, eqn, inputs: list[Value], wanted: list[set[str]]) -> list[Value]:
        name = eqn.primitive.name
        active = any(value.active for value in inputs)
        beside = any(value.soft is not None for value in inputs)
        # What only keeps numbers in range, with its gradient stopped, is no part of f's slope;
        # nor is there one of log|x| at the kink of |x|.
        needed = any(users - {"stop_gradient"} for users in wanted)
        if name == "abs" and wanted[0] == {"log"}:
            needed = False
        if not (active or beside) or not needed:
            return self._as_it_is(eqn, inputs)
        if name in operations.NESTED:
            closed = operations.inner(eqn)
            if not beside and (
                eqn.params.get("name") in operations.SMOOTH or operations.is_smooth(closed.jaxpr)
            ):
                return self._as_it_is(eqn, inputs)
            if name == "custom_jvp_call" and operations.function_name(eqn) in operations.SMOOTH:
                return self._as_it_is(eqn, inputs)
            self.caller = self._where(eqn)
            return self._inline(closed, inputs)
        if name in operations.BRANCHING:
            return getattr(self, f"_{name}")(eqn, inputs)
        if name in operations.LOGIC and beside:
            return [truth.logic(name, eqn, inputs)]
        if name == "select_n":
            return [self._select(eqn, inputs)]
        if name == "convert_element_type" and beside:
            return [truth.converted(eqn, inputs[0])]
        if name == "convert_element_type" and floating(inputs[0].hard):
            if not jnp.issubdtype(eqn.params["new_dtype"], jnp.floating):
                self._leave(eqn, operations.JUMP)
            return self._as_it_is(eqn, inputs)
        if name in operations.SHAPES and beside:
            hard = eqn.primitive.bind(inputs[0].hard, **eqn.params)
            return [Value(hard, eqn.primitive.bind(inputs[0].soft, **eqn.params), True)]
        if name in operations.LEFT and floating(inputs[0].hard):
            self._leave(eqn, operations.LEFT[name])
        if name in operations.RULES and floating(inputs[0].hard):
            return self._smooth(eqn, inputs, wanted)
        if beside:
            self._leave(eqn, "no rule for a comparison that is used in this way")
        return self._as_it_is(eqn, inputs)

    def _as_it_is(self, eqn, inputs: list[Value]) -> list[Value]:
        params, hard = eqn.primitive.get_bind_params(eqn.params), [value.hard for value in inputs]
        if isinstance(params, tuple):  # until JAX 0.9, with functions to be called
            functions, params = params
            hard = [*functions, *hard]
        found = eqn.primitive.bind(*hard, **params)
        found = found if eqn.primitive.multiple_results else [found]
        active = any(value.active for value in inputs) and eqn.primitive.name != "stop_gradient"
        return [Value(each, None, active and floating(each)) for each in found]

    def _smooth(self, eqn, inputs, wanted) -> list[Value]:
        name, tau, x = eqn.primitive.name, self.temperature, [value.hard for value in inputs]
        if name == "sort":
            return self._sort(eqn, inputs, wanted)
        self._tell(eqn)
        if name in ("gt", "ge", "lt", "le"):
            above = (x[0] - x[1]) if name in ("gt", "ge") else (x[1] - x[0])
            return [Value(eqn.primitive.bind(*x, **eqn.params), soft.step(above, tau), True)]
        if name == "top_k":
            count, axis = eqn.params["k"], eqn.params.get("axis", -1)
            if wanted[1]:
                self._leave(eqn, operations.INDEX)
            _, indices = eqn.primitive.bind(*x, **eqn.params)
            start = jnp.zeros(1, x[0].dtype)
            largest = lambda row: jnp.diff(soft.top_sums(row, count, tau), prepend=start)
            return [Value(_along(largest, axis, x[0]), None, True), Value(indices)]
        if name == "clamp":
            found = soft.minimum(soft.maximum(x[1], x[0], tau), x[2], tau)
        elif name in ("reduce_max", "reduce_min"):
            sign, axes = (1 if name == "reduce_max" else -1), eqn.params["axes"]
            found = sign * soft.largest(sign * x[0], tau, tuple(axes))
        else:
            rule: Any = {"max": soft.maximum, "min": soft.minimum, "abs": soft.absolute}
            found = rule.get(name, soft.sign)(*x, tau)
        return [Value(found.astype(jnp.result_type(x[0])), None, True)]

    def _sort(self, eqn, inputs, wanted) -> list[Value]:
        keys, axis = eqn.params["num_keys"], eqn.params["dimension"]
        hard = self._as_it_is(eqn, inputs)
        if keys > 1 or not inputs[0].active:
            if any(value.active for value in inputs[:keys]):
                self._leave(eqn, "no rule for sorting by several keys")
            return hard
        if wanted[0] or any(floating(value.hard) for value in inputs[1:]):
            self._tell(eqn)
        tau, key = self.temperature, inputs[0].hard
        found = [Value(_along(lambda row: soft.sort(row, tau), axis, key), None, True)]
        for value, sorted_, users in zip(inputs[1:], hard[1:], wanted[1:], strict=True):
            if floating(value.hard):
                carry = lambda row, load: soft.permutation(row, tau) @ load
                sorted_ = Value(_along(carry, axis, key, value.hard), None, True)
            elif users:
                self._leave(eqn, operations.INDEX)
            found.append(sorted_)
        return found

    def _select(self, eqn, inputs) -> Value:
        which, *cases = inputs
        hard = eqn.primitive.bind(which.hard, *(case.hard for case in cases), **eqn.params)
        if which.soft is None or len(cases) != 2:
            active = any(case.active for case in cases) and floating(hard)
            if any(case.soft is not None for case in cases):
                sides = [truth.beside(case) for case in cases]
                return Value(hard, lax.select_n(which.hard, *sides), True)
            return Value(hard, None, active)
        share = which.soft
        if floating(hard):
            return Value(truth.mixed(share, cases[0].hard, cases[1].hard, hard), None, True)
        if hard.dtype == bool:
            sides = [truth.beside(case) for case in cases]
            return Value(hard, sides[0] + share * (sides[1] - sides[0]), True)
        self._leave(eqn, "a choice between integers")
        return Value(hard)

    def _cond(self, eqn, inputs) -> list[Value]:
        which, *operands = inputs
        branches = eqn.params["branches"]
        if which.soft is None:
            # Each branch is smoothed, and one of them taken.
            runs = [lambda *a, b=b: self._hardened(b, a, operands) for b in branches]
            hard = [value.hard for value in operands]
            index = which.hard.astype(int) if which.hard.dtype == bool else which.hard
            found = lax.switch(index, runs, *hard)
            return [Value(each, None, floating(each)) for each in found]
        off, on = (self._inline(branch, operands) for branch in branches)
        mixed: list[Value] = []
        for a, b in zip(off, on, strict=True):
            taken = jnp.where(which.hard.astype(bool), b.hard, a.hard)
            if floating(taken):
                taken = truth.mixed(which.soft, a.hard, b.hard, taken)
            mixed.append(Value(taken, None, floating(taken)))
        return mixed

    def _scan(self, eqn, inputs) -> list[Value]:
        p = eqn.params
        consts, carry = p["num_consts"], p["num_carry"]
        hard = [value.hard for value in inputs]
        # Whatever travels through the loop may become active on the way.
        assumed = [*inputs[:consts], *(Value(v.hard, None, True) for v in inputs[consts:])]

        def body(state, xs):
            found = self._hardened(p["jaxpr"], [*hard[:consts], *state, *xs], assumed)
            return found[:carry], found[carry:]

        once = _Once(self)
        state, ys = lax.scan(
            once(body),
            hard[consts : consts + carry],
            hard[consts + carry :],
            length=p["length"],
            reverse=p["reverse"],
            unroll=p["unroll"],
        )
        return [Value(each, None, floating(each)) for each in [*state, *ys]]

    def _while(self, eqn, inputs) -> list[Value]:
        p = eqn.params
        first, second = p["cond_nconsts"], p["cond_nconsts"] + p["body_nconsts"]
        hard = [value.hard for value in inputs]
        assumed = [*inputs[first:second], *(Value(v.hard, None, True) for v in inputs[second:])]
        go_on = jex.jaxpr_as_fun(p["cond_jaxpr"])
        if any(v.active for v in inputs[:first]) or not operations.is_smooth(
            p["cond_jaxpr"].jaxpr, True
        ):
            self._leave(eqn, "the number of steps of a loop")
        found = lax.while_loop(
            lambda state: go_on(*hard[:first], *state)[0],
            _Once(self)(
                lambda state: self._hardened(
                    p["body_jaxpr"], [*hard[first:second], *state], assumed
                )
            ),
            hard[second:],
        )
        return [Value(each, None, floating(each)) for each in found]

    def _hardened(self, closed, arguments, like: list[Value]) -> list:
        """The outputs of a body, which come as plain arrays, and go in as active as `like`."""
        values = [
            Value(a, None, old.active and floating(a))
            for a, old in zip(arguments, like, strict=True)
        ]
        found = self._inline(closed, values)
        if any(value.soft is not None for value in found):
            self._note("comparison", "it leaves a loop or a branch as a boolean", "a loop's body")
        wanted = [var.aval.dtype for var in closed.jaxpr.outvars]
        return [jnp.asarray(v.hard, dtype) for v, dtype in zip(found, wanted, strict=True)]

    def _tell(self, eqn) -> None:
        name = eqn.primitive.name
        self.smoothed.append(Change(name, *operations.RULES[name], self._where(eqn)))

    def _leave(self, eqn, why: str) -> None:
        self._note(eqn.primitive.name, why, self._where(eqn))

    def _where(self, eqn) -> str:
        return summarize(eqn.source_info) or self.caller

    def _note(self, name: str, why: str, where: str) -> None:
        self.left.append(Change(name, why, "", where))


class _Once:
    """A body that JAX may trace several times speaks only the first time."""

    def __init__(self, replacement: Replacement):
        self.replacement, self.first = replacement, True

    def __call__(self, body):
        def run(*args):
            told = len(self.replacement.smoothed), len(self.replacement.left)
            found = body(*args)
            if not self.first:
                del self.replacement.smoothed[told[0] :], self.replacement.left[told[1] :]
            self.first = False
            return found

        return run


def _argument(array) -> Value:
    return Value(array, None, floating(array))


def _along(function, axis: int, *arrays: Array) -> Array:
    """`function` of vectors along an axis."""
    moved = [jnp.moveaxis(a, axis, -1) for a in arrays]
    signature = ",".join(["(n)"] * len(moved)) + "->(m)"
    return jnp.moveaxis(jnp.vectorize(function, signature=signature)(*moved), -1, axis)
