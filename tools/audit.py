"""Known vulnerabilities of the locked packages, by pip-audit: one line says how many packages could be looked up.

pip-audit alone says "No known vulnerabilities found" and exits with 0 also where it can look up none of them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

LOCK = "requirements-hashed.lock"


def main() -> None:
    """Audit the lock file; exit with 1 if a package is vulnerable or could not be looked up."""
    command = [str(Path(sys.executable).with_name("pip-audit")), "--disable-pip", "--require-hashes", "-r", LOCK]
    ended = subprocess.run(
        [*command, "-f", "json", "--progress-spinner", "off"], capture_output=True, text=True, check=False
    )
    try:
        packages = json.loads(ended.stdout)["dependencies"]
    except (ValueError, KeyError):
        reason = (ended.stderr.strip().splitlines() or ["it said nothing"])[-1]
        sys.exit(f"error: pip-audit could look nothing up: {reason[:300]}")
    said, failed = report(packages)
    print(said)
    sys.exit(failed)


def report(packages: list[dict[str, Any]]) -> tuple[str, bool]:
    """Return what is to be said of pip-audit's findings, and whether anything is amiss.

    Args:
        packages: Its `dependencies`: name, version and vulns of each package, or name and skip_reason.
    """
    skipped = [package for package in packages if "skip_reason" in package]
    lines = [
        f"{package['name']} {package['version']}: {found['id']}, mended in {', '.join(found['fix_versions']) or 'no version'}"
        for package in packages
        for found in package.get("vulns", ())
    ]
    looked_up = len(packages) - len(skipped)
    end = f"{len(lines)} known vulnerabilities in {looked_up} packages"
    if skipped:
        names = ", ".join(package["name"] for package in skipped[:3])
        end += (
            f"; {len(skipped)} could not be looked up ({names}{', …' if len(skipped) > 3 else ''}): run it where the "
            "advisories of PyPI can be reached"
        )
    return "\n".join([*lines, end]), bool(lines or skipped)


if __name__ == "__main__":
    main()
