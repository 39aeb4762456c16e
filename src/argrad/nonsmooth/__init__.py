"""Floor 1: what to do where a model is not smooth."""

from argrad.nonsmooth import soft as soft
from argrad.nonsmooth.expectation import Estimate as Estimate
from argrad.nonsmooth.limit import Continuation as Continuation
from argrad.nonsmooth.limit import continuation as continuation
from argrad.nonsmooth.noise import Gaussian as Gaussian
from argrad.nonsmooth.noise import Gumbel as Gumbel
from argrad.nonsmooth.perturbation import Perturbed as Perturbed
from argrad.nonsmooth.perturbation import perturbed as perturbed
from argrad.nonsmooth.smoothing import Changes as Changes
from argrad.nonsmooth.smoothing import Smooth as Smooth
from argrad.nonsmooth.smoothing import smooth as smooth
from argrad.nonsmooth.untraced import BlackBox as BlackBox
from argrad.nonsmooth.untraced import black_box as black_box
