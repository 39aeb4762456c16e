"""Moreau 0.4.1 on the processor. `RAYON_NUM_THREADS=1` keeps it to one thread."""

import warnings

import moreau
import torch
from moreau.torch import Solver

from qp.contestants.in_torch import contestant, gradients
from qp.problems import BATCH, EQUALITIES, INEQUALITIES, VARIABLES

# It says that it took the active-set method.
warnings.filterwarnings("ignore", message="solver='auto' resolved to ACTIVE_SET")
FINE = (moreau.SolverStatus.Solved, moreau.SolverStatus.AlmostSolved)


def _full(rows: int, columns: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The pattern of a full matrix: where rows begin, and columns."""
    return torch.arange(rows + 1) * columns, torch.arange(columns).repeat(rows)


def defaults(name="Moreau", settings="defaults (active set)", **options):
    rows = EQUALITIES + INEQUALITIES
    solver = Solver(
        VARIABLES,
        rows,
        *_full(VARIABLES, VARIABLES),
        *_full(rows, VARIABLES),
        cones=moreau.Cones(num_zero_cones=EQUALITIES, num_nonneg_cones=INEQUALITIES),
        settings=moreau.Settings(device="cpu", batch_size=BATCH, enable_grad=True, **options),
    )

    def whole(Q, p, G, h, A, b, warm=None):
        rows, right = torch.cat([A, G], 1), torch.cat([b, h], 1)
        return solver.solve(Q.flatten(1), rows.flatten(1), p, right, warm_start=warm)

    def layer(*parameters):
        return whole(*parameters).x

    def resolve(earlier, parameters, _):
        with torch.no_grad():
            return whole(*parameters, warm=earlier).x.numpy()

    def resolve_gradient(earlier, parameters, weights):
        return gradients(lambda *data: whole(*data, warm=earlier).x, parameters, weights)

    def verdicts(parameters, _):
        with torch.no_grad():
            whole(*parameters)
        return [None if status in FINE else status.name for status in solver.info.status]

    return contestant(
        name,
        settings,
        layer,
        keep=lambda parameters, _: whole(*parameters).to_warm_start(),
        resolve=resolve,
        resolve_gradient=resolve_gradient,
        verdicts=verdicts,
    )


def interior_point():
    """Tighter tolerances and diff_method='exact' leave the gradient's error as it is."""
    return defaults("Moreau, interior point", "solver='ipm'", solver="ipm")
