"""The nearest point at which a solution is differentiable, where it is not at x itself."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import PyTree

from argrad.diagnose.certificate import Certificate
from argrad.diagnose.certify import check
from argrad.external import External
from argrad.problem import extra_arguments, parameters
from argrad.transformation import Argmin

_FACTOR = 10.0  # from one distance to the next


class Neighbour(eqx.Module):
    """Where a solution is differentiable, near to where it is not; found by `neighbour`.

    - `x`: the upper variable there; `primal`: y* there.
    - `jacobian`: dy*/dx there, as `jax.jacobian` nests it.
    - `moved`: how far x was moved, the Euclidean length over all its numbers, 0 where it was not.
    - `moved_primal`: how far that moved y*.
    - `certificate`: what `check` says of the derivative there.
    """

    x: PyTree
    primal: PyTree
    jacobian: PyTree
    moved: float
    moved_primal: float
    certificate: Certificate = eqx.field(static=True)


def neighbour(
    solve: Argmin | External,
    x: PyTree,
    init: PyTree,
    *args: Any,
    distance: float = 1e-2,
    toward: PyTree | None = None,
    key: int = 0,
) -> Neighbour:
    """The derivative of y*, at x or as near to x as it can be trusted.

    At a kink y* has no derivative, and a solution next to it has, that of its branch. x is moved
    by distance · 1e-4, 1e-3, ... up to `distance` times its length (or one, for x shorter than
    that), along `toward` or two random directions, both ways, until `check` calls the derivative
    valid. It belongs to that point, and at a kink depends on the side that was taken, which
    `toward` decides: it is no derivative at x. `directional` has both sides of it.

    Where the objective itself has a kink at y* (|y|, a hinge), y* stays in it while x moves, and
    no neighbour is found: state it by `nonsmooth=` or make it smooth (`smooth`).

    Needs some tens of solves for each point that is looked at, on the host. ValueError where none
    is found within `distance`, with the reason at the last one, for distance <= 0 and for
    `toward` zero; TypeError unless `solve` is of `argmin`, `argmax` or `implicit`.

    >>> import argrad as ag
    >>> capped = ag.argmin(lambda y, x: (y - x) ** 2, subject_to=[ag.box(None, 1.0)])
    >>> below = ag.neighbour(capped, 1.0, 0.0, toward=-1.0)
    >>> f"{below.jacobian:.2f}", below.moved <= 0.01
    ('1.00', True)
    >>> f"{ag.neighbour(capped, 1.0, 0.0, toward=1.0).jacobian:.2f}"
    '0.00'
    """
    if not 0 < distance < np.inf:
        raise ValueError(f"distance must be positive and finite, got {distance}.")
    x = parameters(x)
    flat, unravel = ravel_pytree(x)
    rng = np.random.default_rng(key)
    if toward is None:
        steps = [sign * step for step in rng.normal(size=(2, flat.size)) for sign in (1, -1)]
    else:
        steps = [np.asarray(ravel_pytree(toward)[0], float)]
        if steps[0].shape != flat.shape or not np.any(steps[0]):
            raise ValueError("toward must be a direction of x, not zero, with its structure.")
    size = max(float(jnp.linalg.norm(flat)), 1.0)
    least = max(distance * 1e-4, 10 * float(jnp.finfo(flat.dtype).eps))
    lengths = [0.0]
    while least < distance * (1 - 1e-9):
        lengths.append(least)
        least *= _FACTOR
    lengths.append(distance)
    certificate = None
    for length in lengths:
        for step in steps if length else steps[:1]:
            there = flat + jnp.asarray(length * size * step / np.linalg.norm(step), flat.dtype)
            certificate = check(solve, unravel(there), init, *args)
            if certificate.verdict == "valid":
                return _differentiated(solve, unravel(there), x, init, args, certificate)
    assert certificate is not None
    raise ValueError(
        f"no point within {distance * size:.3g} of x was found where the solution is "
        f"differentiable; at the last one: {certificate.reason} Raise distance, or "
        "choose another direction."
    )


def _differentiated(solve, there, x, init, args, certificate) -> Neighbour:
    args = extra_arguments(args)
    primal = solve(there, init, *args)
    here = dataclasses.replace(solve, throw=False)(x, init, *args)
    apart = lambda a, b: float(jnp.linalg.norm(ravel_pytree(a)[0] - ravel_pytree(b)[0]))
    return Neighbour(
        x=there,
        primal=primal,
        jacobian=jax.jacobian(lambda x: solve(x, init, *args))(there),
        moved=apart(there, x),
        moved_primal=apart(primal, here),
        certificate=certificate,
    )
