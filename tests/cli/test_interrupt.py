"""Ctrl-C, sent as a real signal to a real process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

# A process started in the background may have inherited that Ctrl-C is ignored.
COMMAND = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from argrad.cli import main; main()"
)


def start(folder, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, "tune", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def interrupt_at(process: subprocess.Popen[str], stage: str) -> tuple[str, str]:
    """Send SIGINT once the process says that it has come to a stage; what it printed."""
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith(stage):
            break
    process.send_signal(signal.SIGINT)
    return process.communicate(timeout=120)


@pytest.mark.slow
def test_interrupted_comparison_keeps_the_best_so_far(tmp_path):
    process = start(tmp_path, "--json")
    output, errors = interrupt_at(process, "grid search")
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert "the best so far was kept" in errors
    content = json.loads(output)
    assert [search["name"] for search in content["searches"]] == ["gradient"]
    assert sorted(os.listdir(tmp_path / "argrad-results")) == [
        "coefficients.png",
        "convergence.png",
        "model.skops",
        "result.json",
    ]


@pytest.mark.slow
def test_interrupted_before_a_result_writes_nothing(tmp_path):
    process = start(tmp_path)
    output, errors = interrupt_at(process, "reading the table")
    assert process.returncode == 130
    assert output == ""
    assert "interrupted before there was a result; nothing was written" in errors
    assert "Traceback" not in errors
    assert os.listdir(tmp_path) == []
