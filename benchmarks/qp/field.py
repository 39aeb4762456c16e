"""Who takes part. A library that is not installed leaves a `Missing` in its place."""

from importlib import import_module

from contestants.interface import Missing
from qp.contestants.interface import Contestant

# Module of `qp.contestants`, the function there that builds one, and its name if absent.
FIELD = (
    ("argrad_layer", "defaults", "argrad"),
    ("by_hand", "interior_point", "by hand: interior point"),
    ("jaxopt_osqp", "defaults", "JAXopt OSQP"),
    ("jaxopt_osqp", "tightened", "JAXopt OSQP, tightened"),
    ("qpax_layer", "defaults", "qpax"),
    ("qpax_layer", "tightened", "qpax, tightened"),
    ("qpax_layer", "implicit", "qpax, implicit"),
    ("qpax_layer", "implicit_tightened", "qpax, implicit, tightened"),
    ("qpth_layer", "defaults", "qpth"),
    ("proxsuite_layer", "defaults", "ProxSuite"),
    ("proxsuite_layer", "tightened", "ProxSuite, tightened"),
    ("cvxpylayers_layer", "defaults", "cvxpylayers"),
    ("cvxpylayers_layer", "tightened", "cvxpylayers, tightened"),
    ("cvxpylayers_layer", "for_jax", "cvxpylayers in JAX"),
    ("moreau_layer", "defaults", "Moreau"),
    ("moreau_layer", "interior_point", "Moreau, interior point"),
)
# Where one problem has no solution, tolerances do not matter.
SPOILT = (
    ("argrad_layer", "defaults", "argrad"),
    ("argrad_layer", "marking", "argrad, throw=False"),
    *(entry for entry in FIELD[1:] if "tightened" not in entry[1]),
)


def assemble(entries: tuple[tuple[str, str, str], ...]) -> list[Contestant | Missing]:
    field: list[Contestant | Missing] = []
    for module, builder, name in entries:
        try:
            field.append(getattr(import_module(f"qp.contestants.{module}"), builder)())
        except ImportError as error:
            field.append(Missing(name, f"not installed ({error.name or error})"))
    return field
