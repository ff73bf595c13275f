"""The compiled build (`make compiled` proves it whole): what it can compile, and what it says without one."""

import ast
import importlib.util
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

from gateway.cli.main import app
from tests.support import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MODULES: list[str] = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]["modules"]


def hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", MODULES)
def test_a_compiled_module_defines_no_class_with_a_metaclass(name: str) -> None:
    """mypyc refuses those, at the first import of the wheel."""
    tree = ast.parse((ROOT / f"{name.replace('.', '/')}.py").read_text())
    bases = {
        ast.unparse(base) for one in ast.walk(tree) if isinstance(one, ast.ClassDef) for base in one.bases
    }
    assert not bases & {"Value", "msgspec.Struct", "Struct"}


def test_without_a_compiler_the_build_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match=r"no C compiler \(.+\).*apt-get install gcc.*without it"):
        hook()._require_compiler()


def test_a_pure_installation_says_so() -> None:
    told = CliRunner().invoke(app, ["version"]).output
    assert told.strip().endswith(("pure Python", "compiled"))
    assert ("compiled" in told) is (
        '"compiled": true' in CliRunner().invoke(app, ["version", "--json"]).output
    )
