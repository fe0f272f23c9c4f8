"""Styles of SVG elements: attributes, `style=` and the simple rules of a style sheet, in the order that CSS gives them.

A rule's selector may name elements, classes, ids and `*`, alone or one inside another (`g .pen`, `g > path`). Other
selectors and conditional rules (`@media`) are not applied; `StyleSheet.ignored` names them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

INHERITED = ("stroke", "stroke-width", "stroke-opacity", "fill", "visibility")
PROPERTIES = (
    *INHERITED,
    "display",
    "opacity",
    "transform",
    "stroke-dasharray",
    "clip-path",
    "mask",
    "transform-origin",
)
COMMENT = re.compile(r"/\*.*?\*/|<!--|-->", re.DOTALL)
RULE = re.compile(r"([^{}]*)\{([^{}]*)\}")
BLOCK = re.compile(r"@[\w-]+[^{};]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}|@[\w-]+[^{};]*;")
HARMLESS = ("@font-face", "@charset", "@namespace", "@keyframes", "@-webkit-keyframes")
COMPOUND = re.compile(r"(\*|[A-Za-z][\w-]*)?((?:[.#][\w-]+)*)$")
DECLARATION = re.compile(r"([\w-]+)\s*:\s*((?:[^;()]|\([^()]*(?:\([^()]*\)[^()]*)*\))+)")
IMPORTANT = re.compile(r"\s*!\s*important\s*$", re.IGNORECASE)

ATTRIBUTE, RULES, STYLE = 0, 1, 2  # weaker to stronger sources of a declaration

Rank = tuple[bool, int, tuple[int, int, int], int]


def tag(element: Any) -> str:
    """Return an element's name without its namespace; "" for comments, whose tag is not text."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


@dataclass(frozen=True)
class Compound:
    """What one element must be: its name (None: any), its id and its classes."""

    name: str | None
    ids: tuple[str, ...]
    classes: tuple[str, ...]
    child_only: bool  # whether the part before it must be its parent, not any ancestor

    def fits(self, element: Any) -> bool:
        """Return whether an element is of this kind."""
        if self.name is not None and tag(element) != self.name:
            return False
        classes = element.get("class", "").split()
        return all(element.get("id") == name for name in self.ids) and all(name in classes for name in self.classes)


@dataclass(frozen=True)
class Rule:
    """The declarations for the elements that a selector fits."""

    selector: tuple[Compound, ...]
    declarations: dict[str, tuple[str, bool]]
    order: int

    @property
    def specificity(self) -> tuple[int, int, int]:
        """Numbers of ids, classes and names in the selector."""
        parts = self.selector
        ids, classes = sum(len(part.ids) for part in parts), sum(len(part.classes) for part in parts)
        return ids, classes, sum(part.name is not None for part in parts)

    def fits(self, ancestry: list[Any]) -> bool:
        """Return whether the rule is for the last element of `ancestry`, which begins at the root."""
        return self.selector[-1].fits(ancestry[-1]) and self._fits_before(len(self.selector) - 1, ancestry[:-1])

    def _fits_before(self, part: int, ancestry: list[Any]) -> bool:
        """Return whether the selector's parts before `part` fit elements of `ancestry`, the nearest ones last."""
        if part == 0:
            return True
        nearest = range(len(ancestry) - 1, -1, -1)
        for i in list(nearest)[:1] if self.selector[part].child_only else nearest:
            if self.selector[part - 1].fits(ancestry[i]) and self._fits_before(part - 1, ancestry[:i]):
                return True
        return False


@dataclass
class StyleSheet:
    """All rules of a document's <style> elements.

    Attributes:
        rules: In document order.
        ignored: What was not understood, as it is written.
    """

    rules: list[Rule] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    def add(self, text: str) -> None:
        """Add the rules in the text of one <style> element."""
        text = COMMENT.sub(" ", text)
        self.ignored += [
            block.split("{")[0].strip() for block in BLOCK.findall(text) if not block.lower().startswith(HARMLESS)
        ]
        for selectors, body in RULE.findall(BLOCK.sub(" ", text)):
            found = dict(declarations(body))
            if not found:
                continue
            for selector in selectors.split(","):
                compounds = _compounds(selector)
                if compounds is None:
                    self.ignored.append(f"the selector {selector.strip()}")
                else:
                    self.rules.append(Rule(compounds, found, len(self.rules)))

    def properties(self, ancestry: list[Any]) -> dict[str, str]:
        """Return what is said of the last element of `ancestry`, the strongest declaration of each property.

        From weak to strong: attributes, rules by specificity and order, `style=`; `!important` ones above all others.
        """
        element = ancestry[-1]
        best: dict[str, tuple[Rank, str]] = {}

        def declare(name: str, value: str, rank: Rank) -> None:
            if name not in best or rank >= best[name][0]:
                best[name] = (rank, value)

        for name in PROPERTIES:
            if (value := element.get(name)) and value.strip():
                declare(name, value.strip(), (False, ATTRIBUTE, (0, 0, 0), 0))
        for rule in self.rules:
            if rule.fits(ancestry):
                for name, (value, important) in rule.declarations.items():
                    declare(name, value, (important, RULES, rule.specificity, rule.order))
        for name, (value, important) in declarations(element.get("style", "")):
            declare(name, value, (important, STYLE, (0, 0, 0), 0))
        return {name: value for name, (_, value) in best.items()}


def declarations(text: str) -> Iterator[tuple[str, tuple[str, bool]]]:
    """Yield (property, (value, whether it is important)) for the properties that decide what is drawn as a line.

    Within one block an important declaration is not undone by a later one that is none.
    """
    found: dict[str, tuple[str, bool]] = {}
    for name, value in DECLARATION.findall(COMMENT.sub(" ", text)):
        name, plain = name.lower(), IMPORTANT.sub("", value).strip()
        important = bool(IMPORTANT.search(value))
        if name in PROPERTIES and plain and (important or not found.get(name, ("", False))[1]):
            found[name] = (plain, important)
    yield from found.items()


def _compounds(selector: str) -> tuple[Compound, ...] | None:
    """Return the parts of a selector, or None if it has a part that is not understood."""
    compounds: list[Compound] = []
    child_only = False
    for part in re.sub(r"\s*>\s*", " > ", selector.strip()).split():
        if part == ">":
            child_only = True
            continue
        match = COMPOUND.match(part)
        if match is None:
            return None
        names = re.findall(r"([.#])([\w-]+)", match[2])
        ids = tuple(name for sign, name in names if sign == "#")
        classes = tuple(name for sign, name in names if sign == ".")
        compounds.append(Compound(None if match[1] in (None, "*") else match[1], ids, classes, child_only))
        child_only = False
    return tuple(compounds) or None
