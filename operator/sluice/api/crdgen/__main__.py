"""Writes the generated files: `python -m sluice.api.crdgen --out crds --reference docs/reference.md`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sluice.api.crdgen.crds import write
from sluice.api.crdgen.reference import reference
from sluice.api.crdgen.table import translation_table


def main(arguments: list[str]) -> None:
    """Write the generated files that are asked for and name them."""
    parser = argparse.ArgumentParser(prog="python -m sluice.api.crdgen", description=__doc__)
    parser.add_argument("--out", type=Path, action="append", default=[], help="folder for the CRDs")
    parser.add_argument("--reference", type=Path, help="file for the reference of the fields")
    parser.add_argument("--translation", type=Path, help="file for the table PodTemplate to ECS")
    options = parser.parse_args(arguments)
    files = [file for folder in options.out for file in write(folder)]
    for target, text in ((options.reference, reference), (options.translation, translation_table)):
        if target:
            target.write_text(text(), encoding="utf-8")
            files.append(target)
    for file in files:
        sys.stdout.write(f"{file} {file.stat().st_size} bytes\n")


if __name__ == "__main__":
    main(sys.argv[1:])
