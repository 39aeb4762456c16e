from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version


def argrad(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *options.pop("python", ()), "-c"]
    return subprocess.run(
        [*command, "from argrad.cli import main; main()", *arguments],
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


def test_help_loads_nothing_heavy():
    answered = argrad("--help", python=["-X", "importtime"])
    assert answered.returncode == 0
    assert "tune" in answered.stdout
    assert "predict" in answered.stdout
    imported = {line.rpartition("|")[2].strip() for line in answered.stderr.splitlines()}
    assert "typer" in imported
    assert not imported & {"jax", "sklearn", "pandas", "numpy", "matplotlib"}


def test_version():
    assert argrad("--version").stdout == f"argrad {version('argrad')}\n"


def test_unknown_commands_and_options_end_with_code_2(run):
    for arguments in (["tuna"], ["tune", "--tarket", "x"], ["tune", "--task", "ranking"]):
        result = run(*arguments)
        assert result.exit_code == 2
        assert "Traceback" not in result.output


def test_without_typer_the_extra_is_named():
    hidden = "import sys; sys.modules['typer'] = None; "
    ended = subprocess.run(
        [sys.executable, "-c", hidden + "from argrad.cli import main; main()", "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode != 0
    assert 'pip install "argrad[tune]"' in ended.stderr
    assert "Traceback" not in ended.stderr
