"""Tuning a model on a table: reading, comparing searches, and writing what was found.

`argrad tune` and `argrad predict` are thin commands over `tune_table` and `predict_table`.
"""

import importlib.util

_NEEDED = {
    "sklearn": "scikit-learn",
    "pandas": "pandas",
    "matplotlib": "matplotlib",
    "skops": "skops",
    "pyarrow": "pyarrow",
}
_missing = [name for module, name in _NEEDED.items() if importlib.util.find_spec(module) is None]
if _missing:
    raise ImportError(
        f'argrad.report needs {", ".join(_missing)}: pip install "argrad[tune]"',
        name=_missing[0],
    )

from argrad.report.errors import InputError, ModelError, OutputError, TableError  # noqa: E402
from argrad.report.prediction import Predictions, predict_table  # noqa: E402
from argrad.report.results import save_results, summary  # noqa: E402
from argrad.report.tuning import TuneResult, tune_table  # noqa: E402

__all__ = [
    "InputError",
    "ModelError",
    "OutputError",
    "Predictions",
    "TableError",
    "TuneResult",
    "predict_table",
    "save_results",
    "summary",
    "tune_table",
]
