"""TorchOpt's implicit differentiation (`custom_root`) of PyTorch's own optimisers."""

import warnings

import torch
import torch.nn.functional as nnf
import torchopt

from contestants.interface import Contestant
from problems.logistic import Logistic

torch.set_num_threads(1)
# TorchOpt 0.7.3 calls torch's old name `functorch` and is told so at every gradient.
warnings.filterwarnings("ignore", message=".*functorch", category=FutureWarning)


def _lower(w, theta, X, signs):
    return nnf.softplus(-signs * (X @ w)).mean() + 0.5 * (theta.exp() * w**2).sum()


def _stationarity(w, theta, X, signs):
    return torch.func.grad(_lower)(w, theta, X, signs)


def _run_lbfgs(w, theta, X, signs):
    optimiser = torch.optim.LBFGS([w], max_iter=2000, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        loss = _lower(w, theta, X, signs)
        loss.backward()
        return loss

    optimiser.step(closure)


def _run_adam(w, theta, X, signs):
    optimiser = torchopt.Adam([w], lr=0.1)
    for _ in range(500):
        loss = _lower(w, theta, X, signs)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def _build(name: str, settings: str, run) -> Contestant:
    @torchopt.diff.implicit.custom_root(_stationarity, argnums=1)
    def solve(start, theta, X, signs):
        w = start.detach().clone().requires_grad_(True)
        with torch.enable_grad():
            run(w, theta.detach(), X, signs)
        return w.detach().requires_grad_(True)

    def prepare(problem: Logistic):
        data, validation = (problem.X, problem.signs), (problem.X_val, problem.signs_val)
        return (
            torch.from_numpy(problem.theta),
            tuple(map(torch.from_numpy, data)),
            tuple(map(torch.from_numpy, validation)),
        )

    def solution(theta, data, _):
        return solve(torch.zeros_like(theta), theta, *data).detach().numpy()

    def gradient(theta, data, validation):
        theta = theta.clone().requires_grad_(True)
        w = solve(torch.zeros_like(theta), theta, *data)
        X_val, signs_val = validation
        loss = nnf.softplus(-signs_val * (X_val @ w)).mean()
        return torch.autograd.grad(loss, theta)[0].numpy()

    return Contestant(name, settings, prepare, solution, gradient, compiles=False)


def lbfgs() -> Contestant:
    return _build("TorchOpt, L-BFGS", "defaults, strong Wolfe; normal CG", _run_lbfgs)


def adam() -> Contestant:
    return _build("TorchOpt, Adam", "500 steps, lr=0.1; normal CG", _run_adam)
