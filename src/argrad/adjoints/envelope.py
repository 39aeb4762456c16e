"""The derivative of an optimal value: that of the Lagrangian, where there is one."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Scalar

from argrad.solvers.run import Outcome
from argrad.status import Status, found, raise_if


class Envelope(eqx.Module):
    """Whether the envelope theorem holds where a solve ended.

    It needs a solution, `failed` says that there is none, and multipliers that are unique; y* may
    have a kink there or not be the only one.
    """

    outcome: Outcome
    failed: Bool[Array, ""]
    throw: bool = eqx.field(static=True)

    def checked(self, tangent: Scalar) -> Scalar:
        """The derivative of the Lagrangian, or an error or NaN where it is not that of the value.

        A factor, so that it is there in reverse mode too, where nobody looks at the value.
        """
        status = self.outcome.status
        wrong = self.failed | (status == Status.dependent)
        one = jnp.ones_like(tangent)
        if not self.throw:
            return tangent * jnp.where(wrong, jnp.nan, one)
        numbers = {"iterations": self.outcome.iterations}
        return tangent * raise_if(one, wrong, status, numbers, getattr(self.outcome, "rows", None))


def envelope(outcome: Outcome, throw: bool) -> Envelope:
    """The envelope of a solve that has to converge."""
    return Envelope(outcome, ~found(outcome.status), throw)
