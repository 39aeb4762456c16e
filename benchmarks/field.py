"""Who takes part. A library that is not installed leaves a `Missing` in its place."""

from importlib import import_module

from contestants.interface import Contestant, Missing

# Module of `contestants`, the function there that builds one, and how the table names it if absent.
LOGISTIC = (
    ("argrad_defaults", "logistic", "argrad"),
    ("by_hand", "lbfgs_cg", "by hand: L-BFGS + CG"),
    ("by_hand", "newton_cholesky", "by hand: Newton + Cholesky"),
    ("optimistix_alone", "bfgs", "Optimistix BFGS"),
    ("optimistix_alone", "lbfgs", "Optimistix LBFGS"),
    ("optimistix_alone", "newton", "Optimistix Newton"),
    ("jaxopt_defaults", "lbfgs", "JAXopt L-BFGS"),
    ("jaxopt_defaults", "tightened", "JAXopt L-BFGS, tightened"),
    ("torchopt_root", "lbfgs", "TorchOpt, L-BFGS"),
    ("torchopt_root", "adam", "TorchOpt, Adam"),
)
CHAIN = (
    ("argrad_defaults", "chain", "argrad"),
    ("by_hand", "chain_lbfgs_cg", "by hand: L-BFGS + CG"),
    ("optimistix_alone", "chain", "Optimistix LBFGS"),
)


def assemble(entries: tuple[tuple[str, str, str], ...]) -> list[Contestant | Missing]:
    field: list[Contestant | Missing] = []
    for module, builder, name in entries:
        try:
            field.append(getattr(import_module(f"contestants.{module}"), builder)())
        except ImportError as error:
            field.append(Missing(name, f"not installed ({error.name or error})"))
    return field
