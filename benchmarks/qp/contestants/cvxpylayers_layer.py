"""cvxpylayers 1.2.0 with diffcp, its default, for PyTorch and for JAX."""

import cvxpy as cp
import jax
import jax.numpy as jnp
import numpy as np
import torch
from cvxpylayers.jax import CvxpyLayer as JaxLayer
from cvxpylayers.torch import CvxpyLayer

from qp.contestants import in_jax
from qp.contestants.in_torch import contestant
from qp.contestants.interface import Contestant
from qp.problems import EQUALITIES, INEQUALITIES, VARIABLES


def _problem():
    """Q enters by its Cholesky factor: a parameter may not stand in a quadratic form."""
    root = cp.Parameter((VARIABLES, VARIABLES))
    p, h, b = (cp.Parameter(size) for size in (VARIABLES, INEQUALITIES, EQUALITIES))
    G = cp.Parameter((INEQUALITIES, VARIABLES))
    A = cp.Parameter((EQUALITIES, VARIABLES))
    y = cp.Variable(VARIABLES)
    objective = 0.5 * cp.sum_squares(root @ y) + p @ y
    problem = cp.Problem(cp.Minimize(objective), [G @ y <= h, A @ y == b])
    return problem, [root, p, G, h, A, b], [y]


def defaults(name="cvxpylayers", settings="defaults (diffcp, SCS, lsqr)", mode="lsqr", **options):
    solve = CvxpyLayer(*_problem())

    def layer(Q, *others):
        arguments = {"n_jobs_forward": 1, **options}
        if torch.is_grad_enabled():
            arguments |= {"n_jobs_backward": 1, "mode": mode}
        return solve(torch.linalg.cholesky(Q).mT, *others, solver_args=arguments)[0]

    return contestant(name, settings, layer)


def tightened():
    options = {"mode": "dense", "eps": 1e-9, "max_iters": 100_000}
    settings = ", ".join(f"{k}={v}" for k, v in options.items())
    return defaults("cvxpylayers, tightened", settings, **options)


def for_jax():
    """Not under `jit` nor `vmap`, which it takes with Moreau alone; batches it knows itself."""
    solve = JaxLayer(*_problem())

    def layer(arguments, Q, *others):
        root = jnp.linalg.cholesky(Q).mT
        return solve(root, *others, solver_args=arguments)[0]

    def upper(parameters, weights):
        arguments = {"n_jobs_forward": 1, "n_jobs_backward": 1}
        return jnp.sum(weights * layer(arguments, *parameters))

    def gradient(parameters, weights):
        return tuple(map(np.asarray, jax.grad(upper)(parameters, weights)))

    return Contestant(
        "cvxpylayers in JAX",
        "defaults (diffcp, SCS, lsqr)",
        in_jax.prepare,
        lambda parameters, _: np.asarray(layer({"n_jobs_forward": 1}, *parameters)),
        gradient,
        compiles=False,
    )
