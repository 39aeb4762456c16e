"""Tuning a model on a table: reading, comparing searches, and writing what was found.

`argrad tune` and `argrad predict` are thin commands over `tune_table` and `predict_table`.

Names are imported when first used, so that `argrad models` need not wait for scikit-learn.
"""

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argrad.report.errors import InputError as InputError
    from argrad.report.errors import ModelError as ModelError
    from argrad.report.errors import OutputError as OutputError
    from argrad.report.errors import TableError as TableError
    from argrad.report.prediction import Predictions as Predictions
    from argrad.report.prediction import predict_file as predict_file
    from argrad.report.prediction import predict_table as predict_table
    from argrad.report.results import save_results as save_results
    from argrad.report.results import summary as summary
    from argrad.report.tuning import TuneResult as TuneResult
    from argrad.report.tuning import tune_table as tune_table

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

_HOME = {
    "InputError": "errors",
    "ModelError": "errors",
    "OutputError": "errors",
    "TableError": "errors",
    "Predictions": "prediction",
    "predict_file": "prediction",
    "predict_table": "prediction",
    "save_results": "results",
    "summary": "results",
    "TuneResult": "tuning",
    "tune_table": "tuning",
}

__all__ = [*_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'argrad.report' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"argrad.report.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *_HOME]
