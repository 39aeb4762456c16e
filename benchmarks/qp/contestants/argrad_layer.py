"""argrad as its documentation shows it: no solver and no tolerance is named."""

import numpy as np

import argrad as ag
from qp.contestants.in_jax import contestant

if not hasattr(ag, "quadratic_program"):
    raise ImportError("argrad without quadratic_program")


def _verdicts(found):
    return [
        None if code == ag.Status.converged else ag.Status[code].split(":")[0].split(".")[0]
        for code in np.asarray(found.status)
    ]


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
