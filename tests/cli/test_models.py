from __future__ import annotations

import json
import subprocess
import sys


def test_every_model_is_listed_with_its_hyperparameter(run):
    from argrad.report.catalogue import CATALOGUE

    lines = run("models").stdout.splitlines()
    for each, line in zip(CATALOGUE, lines[1:], strict=False):
        assert line.split()[:2] == [each.name, each.estimator]
        assert f" {', '.join(each.ranges)} " in line
        assert line.endswith(", ".join(each.criteria))
    assert any("svr" in line and "C, gamma, epsilon" in line for line in lines)
    content = json.loads(run("models", "--json").stdout)
    assert [each["name"] for each in content] == [each.name for each in CATALOGUE]
    assert content[1]["hyperparameters"] == ["C"]
    by_name = {each["name"]: each for each in content}
    assert by_name["svc"]["hyperparameters"] == ["C", "gamma"]
    assert by_name["svc"]["granularities"] == ["shared"]
    assert by_name["mlp_classifier"]["granularities"] == ["shared", "per-layer"]
    for each, line in zip(CATALOGUE, lines[1:], strict=False):
        assert f" {', '.join(each.granularities)} " in line


def test_what_models_lists_is_what_tune_takes():
    from argrad.cli.comparison import GRANULARITIES
    from argrad.cli.tune import GranularityOption
    from argrad.report.catalogue import CATALOGUE

    listed = {name for each in CATALOGUE for name in each.granularities}
    assert {option.value for option in GranularityOption} - {"auto"} == listed == set(GRANULARITIES)


def test_it_loads_nothing_heavy():
    command = [sys.executable, "-X", "importtime", "-c", "from argrad.cli import main; main()"]
    ended = subprocess.run([*command, "models"], capture_output=True, text=True, check=True)
    imported = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}
    assert not imported & {"jax", "sklearn", "pandas", "numpy", "matplotlib"}
