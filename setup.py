"""Puts topologies/, peers/ and starter/ into the package; all else is in pyproject.toml."""

from setuptools import find_packages, setup

SHIPPED = "prisam_p2p.shipped_files"  # the code reads it in prisam_p2p/shipped.py
FOLDERS = {
    "topologies": ["**/*.toml", "*.graphml", "*.edgelist"],
    "peers": ["*.toml"],
    "starter": ["**/*.toml", "*.md", "*.ipynb"],
}
PAGE = ["assets/**/*"]  # the page's scripts and style, and the library that it draws with

setup(
    packages=[*find_packages(include=["prisam_p2p*"]), *(f"{SHIPPED}.{name}" for name in FOLDERS)],
    package_dir={f"{SHIPPED}.{name}": name for name in FOLDERS},
    package_data={f"{SHIPPED}.{name}": patterns for name, patterns in FOLDERS.items()}
    | {"prisam_p2p": ["py.typed"], "prisam_p2p.page": PAGE},
    include_package_data=False,
)
