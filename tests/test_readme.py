"""The README keeps its word: its five lines of Python run on the bundled model, and its table names real commands."""

import re
from pathlib import Path

import numpy as np
import pytest

import anytime
from anytime.cli import COMMANDS, main

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
LINES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_first_lines_of_python_give_whole_pictures_at_every_budget() -> None:
    names: dict[str, object] = {}
    exec(LINES[0], names)
    out, better = names["out"], names["better"]
    assert isinstance(out, anytime.models.samples.Samples)
    assert isinstance(better, anytime.models.samples.Samples)
    assert out.data.shape == (64, 28, 28) and out.data.dtype == np.uint8
    assert out.codes.equal(better.codes[:, : out.codes.shape[1]])
    assert better.codes.shape == (64, 36)


def test_the_table_names_every_command_and_no_other() -> None:
    assert set(re.findall(r"^\| `anytime (\w+)", README, re.MULTILINE)) == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    assert f"example: anytime {command}" in capsys.readouterr().out


def test_every_file_that_the_readme_links_to_exists() -> None:
    root = Path(__file__).parent.parent
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (root / link).exists()] == []
