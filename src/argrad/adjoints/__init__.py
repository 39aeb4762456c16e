"""Floor 1: how dy*/dx is computed."""

from argrad.adjoints.barrier import Barrier as Barrier
from argrad.adjoints.base import AbstractAdjoint as AbstractAdjoint
from argrad.adjoints.implicit import Implicit as Implicit
from argrad.adjoints.one_step import OneStep as OneStep
from argrad.adjoints.unrolled import Unrolled as Unrolled
