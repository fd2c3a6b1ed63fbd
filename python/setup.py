# SPDX-License-Identifier: Apache-2.0
"""Takes the loader's library out of the checkout's build along, and where the program `heddle` lies."""

import pathlib
import shutil

from setuptools import setup
from setuptools.command.build_py import build_py

BUILD = pathlib.Path(__file__).resolve().parent.parent / "build" / "release"
LIBRARY = "libheddle_runtime.so"


class WithLibrary(build_py):
    def run(self):
        super().run()
        if self.editable_mode:
            return  # the package is found beside its build
        if not (BUILD / LIBRARY).exists():
            print(f"note: {BUILD / LIBRARY} is not built; the installed package will look for an installed heddle")
            return
        package = pathlib.Path(self.build_lib) / "heddle"
        package.mkdir(parents=True, exist_ok=True)
        shutil.copy(BUILD / LIBRARY, package)
        (package / "built_from.txt").write_text(f"{BUILD}\n")


setup(cmdclass={"build_py": WithLibrary})
