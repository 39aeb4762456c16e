import numpy as np
from threadpoolctl import threadpool_info

from argrad.sklearn.criteria.threads import one_thread


def threads():
    return [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]


def test_one_thread_until_the_end_of_the_block():
    np.ones((2, 2)) @ np.ones((2, 2))
    before = threads()
    with one_thread():
        assert set(threads()) == {1}
    assert threads() == before
