"""The compiled build: the same sources, those of the hot path also as extension modules (mypyc).

    HATCH_BUILD_HOOK_ENABLE_CUSTOM=true pip wheel --no-deps .       (`make compiled`)

Without that variable a build never comes here, and is pure. The wheel holds each module twice, Python takes
the extension; where it does not fit, another Python or machine, the source runs and does the same.
Which modules: `modules` in `pyproject.toml`.
"""

import shutil
import sysconfig
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompiledBuild(BuildHookInterface[Any]):
    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return  # sources that are edited run as they are
        _require_compiler()
        self._folder = TemporaryDirectory(prefix="gateway-compiled-")
        folder = Path(self._folder.name)
        made = _compile(self.config["modules"], folder)
        build_data["force_include"].update({str(one): str(one.relative_to(folder / "lib")) for one in made})
        build_data["pure_python"], build_data["infer_tag"] = False, True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if hasattr(self, "_folder"):
            self._folder.cleanup()


def _require_compiler() -> None:
    """A missing compiler is said in a sentence, not in two hundred lines."""
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    missing = [f"no C compiler ({compiler})"] if shutil.which(compiler) is None else []
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        missing.append("no headers of Python (Python.h)")
    if missing:
        raise SystemExit(
            f"The compiled build is not possible here: {' and '.join(missing)}. Install (Debian: "
            "apt-get install gcc python3-dev), or build without it: the pure build does the same, slower."
        )


def _compile(modules: list[str], folder: Path) -> list[Path]:
    """The extension modules of `modules` (`gateway.mapping.finish`) under `folder/lib`."""
    from mypyc.build import mypycify
    from setuptools import Distribution
    from setuptools.command.build_ext import build_ext

    sources = [f"{one.replace('.', '/')}.py" for one in modules]
    extensions = mypycify(
        [f"--cache-dir={folder / 'cache'}", *sources],
        opt_level="2",
        debug_level="0",
        target_dir=str(folder / "c"),
        group_name="gateway",
    )
    command = build_ext(Distribution({"name": "gateway", "ext_modules": extensions}))
    command.build_lib, command.build_temp = str(folder / "lib"), str(folder / "o")
    command.ensure_finalized()
    command.run()
    return sorted(one for one in (folder / "lib").rglob("*") if one.is_file())
