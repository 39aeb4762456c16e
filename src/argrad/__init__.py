"""Differentiable argmin and argmax, and bilevel optimisation."""
