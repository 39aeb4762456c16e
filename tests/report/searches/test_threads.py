from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_info

from argrad.report.searches.threads import few_threads


def blas_threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_small_problems_use_one_thread_and_large_ones_are_left_alone():
    before = blas_threads()
    with few_threads(np.zeros((100, 10))):
        assert blas_threads() == {1}
    assert blas_threads() == before
    with few_threads(np.zeros((1000, 1000))):
        assert blas_threads() == before
