"""Build hook: `experiments/` and `slurm/` stand at the top of the repository and travel inside the package `s2tf`.

Everything else is declared in pyproject.toml. An editable install copies nothing: there the folders are read in place.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

FOLDERS = {"experiments": ("*.yaml",), "slurm": ("*.yaml", "*.sbatch", "*.sh")}
"""Folder -> the files of it that a wheel holds, at any depth."""


class BuildWithFolders(build_py):
    """Copies the packages, and the folders beside them into `s2tf`."""

    def run(self) -> None:
        """Build into an empty folder: what an earlier build has left in `build/lib` would enter the wheel."""
        if not self.editable_mode:
            shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()
        if self.editable_mode:
            return
        for source, target in self._folder_files().items():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """List the files that `run` writes."""
        copied = [] if self.editable_mode else [str(path) for path in self._folder_files().values()]
        return [*super().get_outputs(include_bytecode), *copied]

    def _folder_files(self) -> dict[Path, Path]:
        """File in the repository -> its copy in the build."""
        files = [file for folder, kinds in FOLDERS.items() for kind in kinds for file in Path(folder).rglob(kind)]
        return {file: Path(self.build_lib) / "s2tf" / file for file in sorted(files)}


setup(cmdclass={"build_py": BuildWithFolders})
