"""Floor 1: what to do where a model is not smooth."""

from argrad.nonsmooth.expectation import Estimate as Estimate
from argrad.nonsmooth.noise import Gaussian as Gaussian
from argrad.nonsmooth.noise import Gumbel as Gumbel
from argrad.nonsmooth.perturbed import Perturbed as Perturbed
from argrad.nonsmooth.perturbed import perturbed as perturbed
