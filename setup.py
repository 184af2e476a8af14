"""Build the package from settings.ini; ship the lessons inside the wheel."""

import shutil
from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent
CONFIG = ConfigParser(delimiters=["="])
CONFIG.read(HERE / "settings.ini", encoding="utf-8")
META = CONFIG["DEFAULT"]


def lines(text: str) -> list[str]:
    """The non-empty lines of a settings value."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def extras() -> dict[str, list[str]]:
    """Every extra of settings.ini, and `all` of them together."""
    own = {name: lines(CONFIG["extras"][name]) for name in CONFIG["extras"] if name not in META}
    return {**own, "all": sorted({requirement for group in own.values() for requirement in group})}


class BuildWithLessons(build_py):
    """Copies the lessons of nbs/ to ml_lifecycle/lessons/ of the wheel."""

    def run(self) -> None:
        """Build the modules, then place the lessons beside them."""
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib) / "ml_lifecycle" / "lessons"
        target.mkdir(parents=True, exist_ok=True)
        for lesson in sorted((HERE / "nbs").glob("0[1-7]_*.ipynb")):
            shutil.copyfile(lesson, target / lesson.name)


setup(
    version=META["version"],
    description=META["description"],
    long_description=(HERE / "README.md").read_text(encoding="utf-8") if (HERE / "README.md").exists() else "",
    long_description_content_type="text/markdown",
    author=META["author"],
    license=META["license"],
    keywords=META["keywords"].split(),
    python_requires=f">={META['min_python']},<{META['max_python']}",
    packages=find_packages(include=["ml_lifecycle", "ml_lifecycle.*"]),
    package_data={"ml_lifecycle": ["py.typed"], "ml_lifecycle.runner": ["assets/*"]},
    install_requires=lines(META["requirements"]),
    extras_require=extras(),
    entry_points={"console_scripts": lines(META["console_scripts"])},
    cmdclass={"build_py": BuildWithLessons},
)
