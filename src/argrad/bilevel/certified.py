"""The hypergradient at one point, and how wrong it may be.

With C(z, x) = 0 the conditions of the lower problem, K = ∂C/∂z and Kᵀu = ∂F/∂z,

    dF/dx = ∂F/∂x − (∂C/∂x)ᵀ u

Both z and u are found approximately. What they leave of their equations, C(z) and ∂F/∂z − Kᵀu, is
solved for once more, and the change that this makes to dF/dx is the estimate of its error.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Int, PyTree, Scalar

from argrad.adjoints import Implicit
from argrad.bilevel.lower import lower_solution
from argrad.bilevel.problem import Bilevel, check_upper
from argrad.conditions import Conditions, Point
from argrad.external import External
from argrad.linalg.cg import conjugate_gradients
from argrad.linalg.kkt import KKTInverse
from argrad.linalg.refinement import Refinement
from argrad.problem import extra_arguments, parameters, starting_point
from argrad.solvers.run import Outcome
from argrad.status import Status, raise_if
from argrad.transformation import Argmin

_DENSE = 500  # unknowns up to which a matrix that is not symmetric is factorised


class Constants(eqx.Module):
    """What bounds the error of a hypergradient, where the lower problem is strongly convex.

    All must hold on the ball around the returned y that `lower_error` is the radius of:

    - `convexity`: μ > 0, a lower bound of the eigenvalues of ∂²f/∂y².
    - `smoothness`: an upper bound of them; it only enters the allowance for rounding.
    - `hessian_lipschitz`: ‖∂²f/∂y²(a) − ∂²f/∂y²(b)‖ <= this ‖a − b‖; 0 for quadratics.
    - `cross_norm`: a bound of ‖∂²f/∂y∂x‖.
    - `cross_lipschitz`: its Lipschitz constant in y.
    - `upper_lipschitz`: that of ∂F/∂y in y.
    - `direct_lipschitz`: that of ∂F/∂x in y; 0 where F does not depend on x by itself.

    ValueError unless convexity > 0 and the others are >= 0.
    """

    convexity: float
    smoothness: float
    cross_norm: float
    upper_lipschitz: float
    hessian_lipschitz: float = 0.0
    cross_lipschitz: float = 0.0
    direct_lipschitz: float = 0.0

    def __check_init__(self):
        for name, value in vars(self).items():
            if isinstance(value, jax.core.Tracer):
                continue
            if not (value > 0 if name == "convexity" else value >= 0):
                sign = "> 0" if name == "convexity" else ">= 0"
                raise ValueError(f"Constants needs {name} {sign}, got {value}.")


class Hypergradient(eqx.Module):
    """F(y*(x), x) and its derivative, with what is known of their errors.

    - `value`, `gradient`: as computed at `y`, by the adjoint of the lower problem.
    - `error`: an estimate of ‖gradient − dF/dx‖₂.
    - `bound`: at least that much, guaranteed by the given `Constants`; infinite without any.
    - `value_error`, `lower_error`: the same for |value − F(y*(x), x)| and ‖y − y*(x)‖₂; with
      constants `lower_error` is a bound.
    - `adjoint_residual`: ‖∂F/∂y − Kᵀu‖ / ‖∂F/∂y‖.
    - `products`: with the Hessian, that the estimate took.
    - `status`: of the lower solve.
    """

    value: Scalar
    gradient: PyTree[Array]
    y: PyTree[Array]
    error: Float[Array, ""]
    bound: Float[Array, ""]
    value_error: Float[Array, ""]
    lower_error: Float[Array, ""]
    adjoint_residual: Float[Array, ""]
    products: Int[Array, ""]
    status: Any

    @property
    def relative_error(self) -> Float[Array, ""]:
        """`error` over the norm of the gradient that would be without it."""
        size = jnp.linalg.norm(ravel_pytree(self.gradient)[0])
        return self.error / jnp.where(size > 0, size, 1)


def hypergradient(
    upper: Callable[..., Scalar],
    solve: Argmin | External,
    x: PyTree,
    init: PyTree,
    *args: Any,
    constants: Constants | None = None,
    max_products: int = 1000,
) -> Hypergradient:
    """F(y*(x), x), dF/dx, and how wrong that may be, for an upper objective `upper(y, x, *args)`.

    The gradient is the one that differentiating `upper(solve(x, init, *args), x, *args)` gives,
    but where the lower solve ended short of its tolerance (`max_steps`, or a solver of one's own)
    and the adjoint is only an approximation it is given all the same, with the error that this
    makes. The estimate corrects y by a Newton step −K⁻¹C(y) and u by K⁻ᵀ(∂F/∂y − Kᵀu) there, each
    known to about a hundredth, and compares; it takes as many products with K as conjugate
    gradients need for that, preconditioned with the last factor of the lower solve if there is
    one, but no more than `max_products` each. What these leave enters by the smallest curvature
    that they have met. It presumes y near enough to y* for Newton's method; a `relative_error`
    near 1 says no more than that the gradient is not to be trusted. Infinite where K turns out
    not to be positive definite though it should be.

    With `constants`, `bound` is guaranteed up to rounding, which is allowed for by 64 units in
    the last place of the largest terms: with δ = ‖∂f/∂y‖/μ and r = ‖∂F/∂y − Hu‖,

        ‖u − u*‖ <= (r + (L_H ‖u‖ + L_Fy) δ) / μ
        ‖gradient − dF/dx‖ <= L_Fx δ + ‖B‖ ‖u − u*‖ + L_B δ ‖u‖      B = ∂²f/∂y∂x

    A JAX function of x, init and args: `jit` and `vmap` work. Raises SolveError (gives NaN if
    `solve` was made with `throw=False`) where there is no solution to be near to: unbounded,
    infeasible, a saddle, NaN. TypeError unless `solve` comes from `argmin`, `argmax` or
    `implicit`; ValueError for an upper objective that does not return one number, for constants of
    a constrained lower problem, and for max_products < 1.

    Source: Pedregosa 2016, arXiv:1602.02355, theorem 1; Grazzi et al. 2020, arXiv:2006.16218.

    >>> import jax.numpy as jnp, argrad as ag
    >>> loss = lambda y, x: 0.5 * jnp.sum(jnp.array([1.0, 3.0]) * y**2) - jnp.sum(x * y)
    >>> cheap = ag.argmin(loss, adjoint=ag.Implicit(linear_solver=ag.CG(max_steps=1, rtol=0.9)))
    >>> upper = lambda y, x: jnp.sum((y - 1) ** 2)
    >>> found = ag.hypergradient(upper, cheap, jnp.array([2.0, 0.0]), jnp.zeros(2))
    >>> found.gradient.round(3), found.error.round(3)  # exactly (2, -2/3)
    (Array([ 1., -1.], dtype=float32), Array(1.054, dtype=float32))
    """
    if not isinstance(solve, Argmin | External):
        raise TypeError(
            "hypergradient needs what argrad.argmin, argrad.argmax or argrad.implicit made, got "
            f"{solve!r}."
        )
    if max_products < 1:
        raise ValueError(f"max_products must be at least 1, got {max_products}.")
    constrained = isinstance(solve, Argmin) and solve.problem.constraints is not None
    if constants is not None and (constrained or isinstance(solve, External)):
        raise ValueError(
            "constants bound the error above a lower problem without constraints that argmin or "
            "argmax made; leave them out and use the estimate."
        )
    y0, x, args = starting_point(init), parameters(x), extra_arguments(args)
    check_upper(Bilevel(upper, solve), y0, x, args)
    found, failed, numbers = _hypergradient(upper, solve, y0, x, args, constants, max_products)
    if not solve.throw:
        return found
    return raise_if(found, failed, found.status, numbers)


@eqx.filter_jit
def _hypergradient(upper, solve, y0, x, args, constants, max_products):
    conditions, z, outcome = lower_solution(solve, y0, x, args)
    status = outcome.status
    near = status == Status.converged
    for short_of_it in (Status.max_steps_reached, Status.stalled, Status.kink):
        near |= status == short_of_it

    def objective(z, x):
        return jnp.asarray(upper(z.y if isinstance(z, Point) else z, x, *args))

    value, (slope, direct) = jax.value_and_grad(objective, argnums=(0, 1))(z, x)
    system = System(conditions, z, x, args, outcome, max_products)
    b, unravel = ravel_pytree(slope)
    chosen, implicit = _own_solver(solve)
    u, _, _ = adjoint_vector(chosen, system, b, unravel)

    # z and u corrected, by what they leave of their equations, or by what rounding hides of that.
    hidden = _hidden(conditions, z, x, args)
    step = system.solve(hidden - ravel_pytree(system.value)[0])
    corrected = jax.tree.map(jnp.add, z, unravel(step.solution))
    better = System(conditions, corrected, x, args, outcome, max_products)
    new_value, (new_slope, new_direct) = jax.value_and_grad(objective, argnums=(0, 1))(corrected, x)
    new_b, _ = ravel_pytree(new_slope)
    force = better.transposed(u)
    change = system.solve(new_b - force + _eps(force), transposed=True)
    reference, _ = ravel_pytree(new_direct)
    reference = reference - better.pull(u + change.solution)
    if implicit:
        gradient = ravel_pytree(direct)[0] - system.pull(u)
    else:  # unrolled, Gauss–Newton and the like: their own derivative, whatever it is
        composite = lambda x: objective(_primal_like(z, solve(x, y0, *args)), x)
        gradient, _ = ravel_pytree(jax.grad(composite)(x))
    error = jnp.linalg.norm(reference - gradient)
    # What the corrections themselves left, by the smallest curvature that they met.
    error += jnp.linalg.norm(better.pull(change.residual)) / change.lowest
    length = jnp.linalg.norm(step.solution)
    left = jnp.linalg.norm(step.residual) / step.lowest
    error *= 1 + jnp.where(length > 0, left / jnp.where(length > 0, length, 1), 0)
    eps = jnp.finfo(b.dtype).eps
    error += eps * (jnp.linalg.norm(gradient) + jnp.linalg.norm(system.pull(u)))
    definite = step.definite & change.definite & jnp.isfinite(error)
    error = jnp.where(definite, error, jnp.inf)
    lower_error = jnp.where(definite, length + left, jnp.inf)

    residual = jnp.linalg.norm(b - system.transposed(u))
    bound = jnp.full_like(error, jnp.inf)
    if constants is not None:
        bound, lower_error = _bound(constants, system, z, u, b, gradient, residual, hidden)
    size = jnp.linalg.norm(b)
    lost = ~near & ~jnp.array(solve.throw)
    nan = lambda a: jnp.where(lost, jnp.nan, a)
    _, as_x = ravel_pytree(x)
    found = Hypergradient(
        value=nan(value),
        gradient=jax.tree.map(nan, as_x(gradient)),
        y=z.y if isinstance(z, Point) else z,
        error=nan(error),
        bound=nan(bound),
        value_error=nan(jnp.abs(new_value - value)),
        lower_error=lower_error,
        adjoint_residual=residual / jnp.where(size > 0, size, 1),
        products=step.products + change.products + 3,
        status=status,
    )
    numbers = {"iterations": outcome.iterations, "gradient_norm": outcome.gradient_norm}
    return found, ~near, numbers


def _hidden(conditions: Conditions, z, x, args):
    """What rounding may hide of C(z, x): how it changes when all numbers change by a last place.

    Data larger than z are left out, so that no copy of them is made.
    """
    most = max(ravel_pytree(z)[0].size, 1000)
    moved = lambda a: eqx.is_inexact_array(a) and a.size <= most
    moving, fixed = eqx.partition((z, x, args), moved)

    def residual(moving):
        z, x, args = eqx.combine(moving, fixed)
        return conditions(z, x, *args)

    leaves, structure = jax.tree.flatten(moving)
    # Each with signs of its own, or terms that cancel would have theirs cancel as well.
    rounding = [_eps(leaf, first=k) for k, leaf in enumerate(leaves)]
    _, change = jax.jvp(residual, (moving,), (jax.tree.unflatten(structure, rounding),))
    return ravel_pytree(change)[0]


def _eps(numbers, first: int = 0):
    """Rounding errors of the given numbers, of either sign and of average size, eps / 4."""
    places = jnp.arange(first, first + numbers.size, dtype=numbers.dtype)
    signs = jnp.sign(jnp.cos(places**2 + 1))
    return jnp.finfo(numbers.dtype).eps / 4 * signs.reshape(numbers.shape) * numbers


def _primal_like(z, y):
    return Point(y, z.equal, z.below) if isinstance(z, Point) else y


class _Solved(NamedTuple):
    """An approximate solution, and what its error may be: residual / lowest.

    The smallest curvature that was met, and the residual, are in units of the preconditioner.
    """

    solution: Array
    residual: Array
    lowest: Array
    products: Array
    definite: Array


class System:
    """K = ∂C/∂z and ∂C/∂x at one point, as products with flat vectors."""

    def __init__(self, conditions: Conditions, z, x, args, outcome: Outcome, max_products: int):
        self.conditions, self.outcome, self.max_products = conditions, outcome, max_products
        flat, self.unravel = ravel_pytree(z)
        self.size, self.dtype = flat.size, flat.dtype
        self.value, product = jax.linearize(lambda z: conditions(z, x, *args), z)
        self.linear = product
        transpose = jax.linear_transpose(product, z)
        pull = jax.vjp(lambda x: conditions(z, x, *args), x)[1]
        self.product = lambda v: ravel_pytree(product(self.unravel(v)))[0]
        self.transposed = lambda v: ravel_pytree(transpose(self.unravel(v))[0])[0]
        self.pull = lambda v: ravel_pytree(pull(self.unravel(v))[0])[0]

    def solve(self, b, transposed: bool = False, tol: float | None = None) -> _Solved:
        """K⁻¹ b or K⁻ᵀ b, to a relative residual `tol`.

        By default eps^(2/3), 4e-11 in float64: with a condition number of 1e8 an error is then
        still known to a hundredth.
        """
        tol = float(jnp.finfo(b.dtype).eps) ** (2 / 3) if tol is None else tol
        symmetric = self.conditions.curvature != "general"
        product = self.transposed if transposed and not symmetric else self.product
        one, true = jnp.ones((), b.dtype), jnp.array(True)
        if self.conditions.curvature == "definite":
            factor = self.outcome.factor
            found = conjugate_gradients(
                product,
                b,
                precondition=(lambda v: v) if factor is None else factor.solve,
                tol=tol,
                max_steps=self.max_products,
            )
            # In the units of the preconditioner, whose own curvature is one.
            lowest = jnp.where(jnp.isfinite(found.lowest) & (found.lowest > 0), found.lowest, 1)
            residual = b - product(found.solution)
            residual = residual if factor is None else factor.solve(residual)
            fine = found.definite | jnp.all(b == 0)
            return _Solved(found.solution, residual, lowest, found.steps + 1, fine)
        if isinstance(self.outcome.factor, KKTInverse):
            kkt = self.outcome.factor
            d = kkt.primal.shape[0]
            inverse = lambda v: jnp.concatenate(kkt.solve(v[:d], v[d:]))
            u, _, stats = self._by_lineax(Refinement(), product, b, inverse)
            return _Solved(u, jnp.zeros_like(b), one, stats["num_steps"], true)
        if self.size <= _DENSE:
            matrix = jax.vmap(product)(jnp.eye(self.size, dtype=b.dtype)).T
            return _Solved(
                jnp.linalg.solve(matrix, b), jnp.zeros_like(b), one, jnp.array(self.size), true
            )
        solver = lx.GMRES(rtol=tol, atol=0.0, max_steps=self.max_products)
        u, _, stats = self._by_lineax(solver, product, b, None)
        return _Solved(u, b - product(u), one, jnp.asarray(stats["num_steps"]), true)

    def _by_lineax(self, solver, product, b, inverse):
        shape = jax.eval_shape(lambda: b)
        operator = lx.FunctionLinearOperator(product, shape)
        options = {}
        if inverse is not None:
            options["preconditioner"] = lx.FunctionLinearOperator(inverse, shape)
        return solver.compute(solver.init(operator, options), b, options)


def adjoint_vector(chosen: lx.AbstractLinearSolver | None, system: System, b, unravel):
    """u with Kᵀu ≈ b by the `chosen` solver or the default one, products, and whether all is well.

    NaN for the products of a solver that does not count them.
    """
    if chosen is None:
        tight = float(jnp.finfo(b.dtype).eps) ** 0.75
        found = system.solve(b, transposed=True, tol=tight)
        return found.solution, found.products, found.definite
    tags = {"definite": lx.positive_semidefinite_tag, "symmetric": lx.symmetric_tag}
    operator = lx.FunctionLinearOperator(
        system.linear,
        jax.eval_shape(lambda: unravel(b)),
        tags.get(system.conditions.curvature, ()),
    )
    state = chosen.init(operator, {})
    state, options = chosen.transpose(state, {})
    u, result, stats = chosen.compute(state, unravel(b), options)
    products = stats.get("num_products", stats.get("num_steps", jnp.nan))
    return ravel_pytree(u)[0], products, result == lx.RESULTS.successful


def _own_solver(solve) -> tuple[lx.AbstractLinearSolver | None, bool]:
    """The linear solver of a lower problem's adjoint, and whether its rule is the implicit one."""
    if isinstance(solve, External):
        return solve.linear_solver, True
    if isinstance(solve.adjoint, Implicit) and solve.adjoint.curvature is None:
        return solve.adjoint.linear_solver, True
    return None, False


def _bound(constants: Constants, system: System, z, u, b, gradient, residual, hidden):
    """The guaranteed bounds of the error of the gradient and of y."""
    eps = 64 * jnp.finfo(b.dtype).eps
    flat, _ = ravel_pytree(z)
    c, size, length = constants, jnp.linalg.norm(u), jnp.linalg.norm(flat)
    left = jnp.linalg.norm(ravel_pytree(system.value)[0])
    # Terms of ∂f/∂y that cancel may be larger than the L ‖y‖ of its change from y = 0: `hidden`
    # has them with eps / 4, and here as well 64 units in the last place are allowed.
    left = left + eps * c.smoothness * length + 4 * 64 * jnp.linalg.norm(hidden)
    delta = left / c.convexity
    residual = residual + eps * (c.smoothness * size + jnp.linalg.norm(b))
    residual = residual + eps * c.upper_lipschitz * length
    wrong = (residual + (c.hessian_lipschitz * size + c.upper_lipschitz) * delta) / c.convexity
    bound = c.direct_lipschitz * delta + c.cross_norm * wrong + c.cross_lipschitz * delta * size
    return bound + eps * (jnp.linalg.norm(gradient) + c.cross_norm * size), delta
