"""The pages people read, and what is in them: links, blocks, commands."""

import re
import shlex
from pathlib import Path

from tests.conftest import ROOT

README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [README, *DOCS, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", ROOT / "SECURITY.md"]
FENCE = re.compile(r"^```([\w{}-]*)[^\n]*\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)


def blocks(page: Path, language: str) -> list[str]:
    """Return a page's fenced blocks in a language, "" for those without one."""
    return [text for name, text in FENCE.findall(page.read_text()) if name == language]


def commands(page: Path) -> list[list[str]]:
    """Return the words of each command in a page's blocks without a language."""
    lines = [line.partition(" #")[0].strip() for block in blocks(page, "") for line in block.splitlines()]
    return [shlex.split(line) for line in lines if line]


def named_blocks(page: Path, language: str) -> dict[str, str]:
    """Return {file: text} of the blocks that begin with `# file`; blocks of the same file are joined in order."""
    files: dict[str, str] = {}
    for text in blocks(page, language):
        if found := re.match(r"# (lab/\S+)\n", text):
            files[found[1]] = files.get(found[1], "") + text
    return files


def links(page: Path) -> list[str]:
    """Return the relative targets of a page's links and pictures."""
    prose = FENCE.sub("", page.read_text())
    return re.findall(r"\]\((?!\w+:|#)([^)#\s]+)", prose)
