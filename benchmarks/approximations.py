"""The same approximate adjoint in argrad, JAXopt, TorchOpt and Betty: time and error.

    python benchmarks/approximations.py [--rounds 15] [--clock wall] [--json FILE]

At one and the same lower solution of the logistic problem, each computes the gradient of the
upper objective with k steps of conjugate gradients, or k terms of a Neumann series of the same
step. See README.md beside this file for the latest results.
"""

import session

PARTS = ("easy", "hard")
LIBRARIES = ("argrad", "jax", "jaxopt", "torch", "torchopt", "betty-ml")
STEPS = (5, 20)


def in_argrad(problem, y, step):
    import jax
    import jax.numpy as jnp
    import numpy as np

    import argrad as ag
    from contestants.in_jax import logistic_lower, logistic_upper, prepare

    theta, data, validation = prepare(problem)
    start, conditions = jnp.asarray(y), ag.stationarity(logistic_lower)

    def job(linear_solver):
        found = lambda theta, init, *data: init
        # As the others do, without looking whether the given solution is one.
        solve = ag.implicit(found, conditions, linear_solver=linear_solver, tol=float("inf"))
        upper = lambda theta, data, validation: logistic_upper(
            solve(theta, start, *data), *validation
        )
        gradient = jax.jit(jax.grad(upper))
        return lambda: np.asarray(gradient(theta, data, validation))

    for k in STEPS:
        yield f"CG {k}", job(ag.CG(max_steps=k, truncate=True))
        yield f"Neumann {k}", job(ag.Neumann(k, step_size=step))


def in_jaxopt(problem, y, step):
    from functools import partial

    import jax
    import jax.numpy as jnp
    import numpy as np
    from jaxopt import linear_solve
    from jaxopt.implicit_diff import custom_root

    from contestants.in_jax import logistic_lower, logistic_upper, prepare

    theta, data, validation = prepare(problem)
    start = jnp.asarray(y)
    for k in STEPS:
        cg = partial(linear_solve.solve_cg, maxiter=k, tol=0.0)
        solve = custom_root(jax.grad(logistic_lower), solve=cg)(lambda init, theta, *data: init)

        def upper(theta, data, validation, solve=solve):
            return logistic_upper(solve(start, theta, *data), *validation)

        gradient = jax.jit(jax.grad(upper))
        yield f"CG {k}", lambda g=gradient: np.asarray(g(theta, data, validation))


def in_torch(problem):
    import torch
    import torch.nn.functional as nnf

    torch.set_num_threads(1)

    def lower(w, theta, X, signs):
        return nnf.softplus(-signs * (X @ w)).mean() + 0.5 * (theta.exp() * w**2).sum()

    def upper(w, X, signs):
        return nnf.softplus(-signs * (X @ w)).mean()

    arrays = (problem.theta, problem.X, problem.signs, problem.X_val, problem.signs_val)
    return lower, upper, [torch.from_numpy(array) for array in arrays]


def in_torchopt(problem, y, step):
    import warnings

    import torch
    import torchopt

    warnings.filterwarnings("ignore", message=".*functorch", category=FutureWarning)
    lower, upper, (theta, *data) = in_torch(problem)
    X, signs, X_val, signs_val = data
    start = torch.from_numpy(y)

    def stationarity(w, theta, X, signs):
        return torch.func.grad(lower)(w, theta, X, signs)

    def job(linear_solver):
        root = torchopt.diff.implicit.custom_root(stationarity, argnums=1, solve=linear_solver)
        solve = root(lambda start, theta, X, signs: start.detach().clone().requires_grad_(True))

        def gradient():
            at = theta.clone().requires_grad_(True)
            loss = upper(solve(start, at, X, signs), X_val, signs_val)
            return torch.autograd.grad(loss, at)[0].numpy()

        return gradient

    from torchopt import linear_solve

    for k in STEPS:
        yield f"CG {k}", job(linear_solve.solve_cg(maxiter=k, rtol=0.0, atol=0.0))
        yield f"Neumann {k}", job(linear_solve.solve_inv(ns=True, maxiter=k, alpha=step))


def in_betty(problem, y, step):
    from types import SimpleNamespace

    import torch
    from betty.hypergradient.cg import cg
    from betty.hypergradient.neumann import neumann

    lower, upper, (theta, X, signs, X_val, signs_val) = in_torch(problem)
    w = torch.from_numpy(y).requires_grad_(True)
    at = theta.clone().requires_grad_(True)

    def job(rule, **config):
        # What Betty's engine hands to its rules: the lower problem and the one above it.
        settings = SimpleNamespace(**config)
        below = SimpleNamespace(
            config=settings,
            paths=[],
            cur_batch=None,
            training_step_exec=lambda batch: lower(w, at, X, signs),
            parameters=lambda: [w],
            trainable_parameters=lambda: [w],
        )
        above = SimpleNamespace(trainable_parameters=lambda: [at])

        def gradient():
            vector = torch.autograd.grad(upper(w, X_val, signs_val), [w])
            return rule(list(vector), below, above)[0].detach().numpy()

        return gradient

    for k in STEPS:
        yield f"CG {k}", job(cg, cg_iterations=k, cg_alpha=1.0)
        yield f"Neumann {k}", job(neumann, neumann_iterations=k, neumann_alpha=step)


FIELD = {"argrad": in_argrad, "JAXopt": in_jaxopt, "TorchOpt": in_torchopt, "Betty": in_betty}


def exact(problem):
    """y*, the exact gradient, and the reciprocal of the largest curvature."""
    import numpy as np

    w, p = np.zeros_like(problem.theta), problem
    for _ in range(50):
        share = 1 / (1 + np.exp(p.signs * (p.X @ w)))
        g = -p.X.T @ (p.signs * share) / len(p.X) + np.exp(p.theta) * w
        H = (p.X.T * (share * (1 - share))) @ p.X / len(p.X) + np.diag(np.exp(p.theta))
        w = w - np.linalg.solve(H, g)
    share = 1 / (1 + np.exp(p.signs_val * (p.X_val @ w)))
    slope = -p.X_val.T @ (p.signs_val * share) / len(p.X_val)
    gradient = -np.exp(p.theta) * w * np.linalg.solve(H, slope)
    return w, gradient, 1 / np.linalg.eigvalsh(H)[-1]


def main() -> None:
    arguments = session.arguments(__doc__.splitlines()[0], PARTS)

    import jax
    import numpy as np

    import problems.logistic
    from measuring import take_turns

    jax.config.update("jax_enable_x64", True)
    versions = session.versions(LIBRARIES)
    print(", ".join(f"{name} {version}" for name, version in versions.items()))
    print(f"float64, one thread, median {arguments.clock} time of {arguments.rounds} rounds")
    parts = {}
    for part in arguments.part or PARTS:
        problem = getattr(problems.logistic, part)()
        y, wanted, step = exact(problem)
        jobs, errors = {}, {}
        for library, make in FIELD.items():
            try:
                made = list(make(problem, y, step))
            except ImportError as error:
                print(f"{library}: {error}")
                continue
            for what, job in made:
                g = job()
                errors[what, library] = np.linalg.norm(g - wanted) / np.linalg.norm(wanted)
                jobs[what, library] = job
        times = take_turns(jobs, arguments.rounds)
        print(f"\n{part}: milliseconds (error), and the time over argrad's")
        rows = []
        for what in dict.fromkeys(what for what, _ in jobs):
            own = getattr(times[what, "argrad"], arguments.clock)
            cells = []
            for library in FIELD:
                if (what, library) not in jobs:
                    continue
                seconds = getattr(times[what, library], arguments.clock)
                error = errors[what, library]
                cells.append(f"{library} {1e3 * seconds:.2f} ({error:.1e}) {seconds / own:.1f}x")
                rows.append(
                    {"what": what, "library": library, "seconds": seconds, "error": float(error)}
                )
            print(f"  {what:<11}" + " | ".join(cells), flush=True)
        parts[part] = rows
    if arguments.json:
        session.write(arguments.json, arguments.rounds, versions, parts)


if __name__ == "__main__":
    main()
