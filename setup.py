"""All else is in setup.cfg: here, what an older checkout left in build/ is removed before a wheel is packed from it."""

import shutil

from setuptools import setup
from setuptools.command.build import build


class CleanBuild(build):
    """A build that starts from nothing."""

    def run(self):
        """Remove what is there, then build."""
        shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()


setup(cmdclass={"build": CleanBuild})
