"""Floor 1: a function with its branches and kinks replaced by smooth ones, and told which."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
from jaxtyping import Scalar

from argrad.nonsmooth.replace import Change, Replacement
from argrad.problem import extra_arguments


class Changes(NamedTuple):
    """What `smooth` did to a function: operations that were replaced, and those that cannot be.

    >>> import argrad as ag, jax.numpy as jnp
    >>> changes = ag.smooth(lambda x: jnp.abs(x), 0.1).smoothed(1.0)
    >>> [(change.operation, change.by) for change in changes.smoothed], changes.left
    ([('abs', 'τ log(exp(x/τ) + exp(−x/τ))')], ())
    """

    smoothed: tuple[Change, ...]
    left: tuple[Change, ...]

    def __str__(self) -> str:
        lines = [f"{c.operation} -> {c.by}, off by {c.off} ({c.where})" for c in self.smoothed]
        lines += [f"{c.operation} stays as it is: {c.by} ({c.where})" for c in self.left]
        return "\n".join(lines) or "nothing to smooth"


class Smooth(eqx.Module):
    """f made smooth, by `smooth`."""

    function: Callable[..., Any]
    temperature: float | Scalar
    partial: bool = eqx.field(static=True)

    def __call__(self, *args: Any) -> Any:
        """The smooth f(*args). See `smooth`."""
        found, changes = self._run(args)
        if changes.left and not self.partial:
            raise ValueError(
                f"not all of this can be made smooth:\n{Changes((), changes.left)}\nWrite it "
                "differently, or say partial=True to leave it so, without a derivative."
            )
        return found

    def smoothed(self, *args: Any) -> Changes:
        """What is replaced in f(*args), and what cannot be; evaluates nothing."""
        told = []

        def run(args):
            found, changes = self._run(args)
            told.append(changes)
            return found

        eqx.filter_eval_shape(run, args)
        return told[0]

    def _run(self, args):
        args = extra_arguments(args)
        closed, out, static = eqx.filter_make_jaxpr(self.function)(*args)
        replacement = Replacement(self.temperature)
        found = replacement.run(closed, jax.tree.leaves(eqx.filter(args, eqx.is_array)))
        dynamic = jax.tree.unflatten(jax.tree.structure(out), found)
        changes = Changes(tuple(replacement.smoothed), tuple(replacement.left))
        return eqx.combine(dynamic, static), changes


def smooth(
    function: Callable[..., Any], temperature: float | Scalar, *, partial: bool = False
) -> Smooth:
    """f(*args) with smooth operations in place of its kinks and jumps: f as the temperature τ -> 0.

    Replaced are, wherever they depend on floating-point arguments, in loops and branches too:
    `max`, `min`, `abs`, `sign`, `clip`, maxima and minima along axes, sorting and what is sorted
    along, the largest k, and comparisons where they select, branch or count (`where`, `cond`, means
    of x > 0). `argrad.soft` has the formulas, all of one family: max(x, 0), for one, becomes
    τ log(1 + exp(x/τ)). τ is in the units of what is compared, and may be differentiated.

    `smoothed(*args)` lists each replacement with its place in the source, and what could not be
    replaced: `floor` and its like, and indices (`argmax`, `argsort`), which are integers and have
    no neighbours. Those raise ValueError, unless `partial=True` leaves them as they are.

    Not looked for are roots at zero: a norm is not smooth where it vanishes. In a `where` that
    keeps NaN out of a result, the side that is not finite has no share. A function with a
    derivative rule of its own and a branch inside is opened, and its rule lost.

    Source: Nesterov 2005; Beck and Teboulle 2012.

    >>> import argrad as ag, jax, jax.numpy as jnp
    >>> def overtime(hours):
    ...     return jnp.where(hours > 40.0, 1.5 * hours - 20.0, hours)
    >>> pay = ag.smooth(overtime, temperature=0.1)
    >>> [f"{jax.grad(pay)(hours):.2f}" for hours in (39.0, 40.0, 41.0)]
    ['1.00', '1.25', '1.50']
    >>> print(pay.smoothed(40.0))
    gt -> 1/(1 + exp(−(a − b)/τ)), off by 1/2 where a = b (...)
    """
    if not callable(function):
        raise TypeError(f"function must be a function, got {function!r}.")
    if isinstance(temperature, int | float) and not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature}.")
    return Smooth(function, temperature, partial)
