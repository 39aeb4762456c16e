"""No two batched factorisations or solves with factors may be taken side by side.

Each of jaxlib's (0.10) shares out its batch to the threads of XLA's pool and waits for them; where
as many of them run as there are threads, each waits for a thread that another holds, for ever.
XLA runs side by side what does not depend on each other, so in the compiled programs every
factorisation has to depend on every other one beside it.
"""

import re

import jax
import jax.numpy as jnp
import pytest

import argrad as ag

_FACTORISATION = re.compile(r'custom_call_target="(?:lapack|blas)_')
_CALLED = re.compile(r"(?:body|to_apply|true_computation|false_computation)=%([\w.\-]+)")
_BRANCHES = re.compile(r"branch_computations=\{([^}]*)\}")


def side_by_side(program: str) -> list[tuple[str, str]]:
    """Pairs of instructions that factorise and do not depend on each other, of compiled HLO."""
    computations: dict[str, dict[str, str]] = {}
    for line in program.splitlines():
        if start := re.match(r"(?:ENTRY )?%([\w.\-]+) \(.*\{$", line):
            inside = computations.setdefault(start[1], {})
        elif instruction := re.match(r"\s+(?:ROOT )?%([\w.\-]+) = (.*)$", line):
            inside[instruction[1]] = instruction[2].split(", metadata=")[0]

    known: dict[str, bool] = {}

    def factorises(instruction: str) -> bool:
        called = _CALLED.findall(instruction)
        for branches in _BRANCHES.findall(instruction):
            called += re.findall(r"%([\w.\-]+)", branches)
        for name in called:
            if name not in known:
                known[name] = any(map(factorises, computations[name].values()))
        return bool(_FACTORISATION.search(instruction)) or any(known[name] for name in called)

    pairs = []
    for inside in computations.values():
        needs: dict[str, set[str]] = {}
        for name, instruction in inside.items():  # operands come first
            operands = set(re.findall(r"%([\w.\-]+)", instruction)) & needs.keys()
            needs[name] = operands.union(*(needs[operand] for operand in operands))
        names = [name for name, instruction in inside.items() if factorises(instruction)]
        pairs += [(a, b) for i, b in enumerate(names) for a in names[:i] if a not in needs[b]]
    return pairs


def test_that_two_independent_factorisations_are_seen():
    two = jax.jit(lambda a, b: (jnp.linalg.cholesky(a), jnp.linalg.cholesky(b + 1)))
    one = jax.jit(lambda a, b: jnp.linalg.cholesky(jnp.linalg.cholesky(a) + b))
    matrix = jnp.stack([jnp.eye(3)] * 4)
    assert len(side_by_side(two.lower(matrix, matrix).compile().as_text())) == 1
    assert side_by_side(one.lower(matrix, matrix).compile().as_text()) == []


def _batch(rng, *shape):
    return jnp.asarray(rng.normal(size=(4, *shape)))


def _program(solve, *batch):
    total = jax.value_and_grad(lambda *batch: jnp.sum(jax.vmap(solve)(*batch)))
    return jax.jit(total).lower(*batch).compile().as_text()


@pytest.mark.slow
@pytest.mark.parametrize("rows", [3, 9])  # fewer than variables, and more
@pytest.mark.parametrize("bounds", [{}, {"lower": -1.0, "upper": 1.0}])
def test_quadratic_programs(rng, rows, bounds):
    n = 5
    M = _batch(rng, n, n)
    Q, p, G = M @ M.mT + jnp.eye(n), _batch(rng, n), _batch(rng, rows, n)
    h, A, b = jnp.ones((4, rows)), _batch(rng, 1, n), _batch(rng, 1)
    solve = lambda *data: ag.quadratic_program(*data, **bounds, throw=False).primal
    assert side_by_side(_program(solve, Q, p, G, h, A, b)) == []


def _steep(y, x):
    return jnp.sum(jnp.cosh(y - x)) + 0.1 * y @ (y * jnp.arange(1, y.size + 1))


@pytest.mark.slow
def test_minima(rng):
    small = ag.argmin(_steep, throw=False)
    for d in (4, 40):
        x = _batch(rng, d)
        assert side_by_side(_program(lambda x, d=d: small(x, jnp.zeros(d)), x)) == []
    rows = [ag.inequality(lambda y, x: y[:2] - x[:2]), ag.equality(lambda y, x: y.sum() - 1)]
    bounded = ag.argmin(_steep, subject_to=[*rows, ag.box(-1.0, 1.0)], throw=False)
    assert side_by_side(_program(lambda x: bounded(x, jnp.zeros(4)), _batch(rng, 4))) == []
