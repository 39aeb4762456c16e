"""argrad as its documentation shows it: no solver and no tolerance is named."""

import jax

import argrad as ag
from qp.contestants.in_jax import contestant
from qp.problems import BATCH

if not hasattr(ag, "quadratic_program"):
    raise ImportError("argrad without quadratic_program")


def _verdict(status):
    return None if status == ag.Status.converged else ag.Status[status]


def _verdicts(found):
    return [_verdict(jax.tree.map(lambda leaf: leaf[k], found.status)) for k in range(BATCH)]


def _layer(name, settings, **options):
    def whole(*parameters):
        return ag.quadratic_program(*parameters, **options)

    return contestant(
        name,
        settings,
        lambda *parameters: whole(*parameters).primal,
        whole=whole,
        primal=lambda found: found.primal,
        warm=lambda earlier, *parameters: ag.quadratic_program(
            *parameters, init=earlier, **options
        ),
        verdicts=_verdicts,
    )


def defaults():
    return _layer("argrad", "defaults")


def marking():
    return _layer("argrad, throw=False", "throw=False", throw=False)
