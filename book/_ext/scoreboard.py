"""The scoreboard of claims, made from the artifacts when the book is built.

    ```{scoreboard}
    ```

    ```{scoreboard}
    :rules:
    ```

The first gives the table: claim, verdict, effect, seeds, page. With ``:rules:`` it says for each
claim what decides it and which command makes the artifacts. The role ``{verdict}`5``` gives the
verdict on one claim in a sentence. Nothing is typed.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from generated import Generated, artifact_root, markdown_table, where
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxRole

from labs.claims.evidence import FAILS, HOLDS, OPEN, PARTLY, UNDECIDED, VERDICTS
from labs.claims.scoreboard import CLAIMS, Claim, claim_of, judge
from labs.errors import UserError

#: The verdict's mark, so that a reader who skims sees it; the words stand beside it.
MARKS = {HOLDS: "✔", FAILS: "✘", PARTLY: "◐", UNDECIDED: "?", OPEN: "…"}


#: Letters of a measured effect that its cell shows at once.
SHOWN = 240


def _folded(effect: str) -> str:
    """The effect, and what goes beyond its first statements folded away."""
    first, *rest = effect.split("; ")
    while rest and len(first) + len(rest[0]) < SHOWN:
        first += "; " + rest.pop(0)
    more = "; ".join(rest)
    if len(more) < SHOWN / 2:
        return effect
    return f"{first} <details><summary>and {len(rest)} more</summary>{more}</details>"


def _tally(verdicts: Mapping[str, str]) -> str:
    """Key → verdict, counted: the source's claims, and this book's own questions.

    How many of the source's claims hold is said even if none does.
    """
    own = {key for key in verdicts if key.startswith("ours")}

    def counted(keys: Iterable[str], *always: str) -> str:
        counts = Counter(verdicts[key] for key in keys)
        return ", ".join(f"{v} {counts[v]}" for v in VERDICTS if counts[v] or v in always)

    source = verdicts.keys() - own
    return (
        f"Of the source's {len(source)} claims: {counted(source, HOLDS)}. "
        f"Of this book's {len(own)} questions: {counted(own)}."
    )


def table(root: Path, link: Callable[[Claim], str]) -> str:
    """The scoreboard as Markdown.

    Args:
        root: the folder of all artifacts.
        link: from a claim to its page, as Markdown.
    """
    rows, verdicts = [], {}
    for claim in CLAIMS:
        found = judge(claim, root)
        verdicts[claim.key] = found.verdict
        row = (
            claim.key,
            claim.says,
            f"{MARKS[found.verdict]} **{found.verdict}**",
            _folded(found.effect),
            found.seeds,
            link(claim),
        )
        rows.append(row)
    heads = ["no.", "claim", "verdict", "measured", "over", "page"]
    return f"{markdown_table(heads, rows)}\n\n{_tally(verdicts)}"


def rules() -> str:
    """For each claim, what decides it and the command that makes its artifacts, as Markdown."""
    rows = [[claim.key, claim.decides, f"`{claim.command}`"] for claim in CLAIMS]
    return markdown_table(["no.", "what decides", "command"], rows)


class Scoreboard(Generated):
    """The directive ``scoreboard``."""

    option_spec = {"rules": directives.flag}

    def _link(self, claim: Claim) -> str:
        """A link to the claim's page, or its name where that page is not in the book."""
        name = claim.page.rsplit("/", 1)[1]
        if claim.page not in self.env.found_docs:
            return name
        suffix = Path(self.env.doc2path(claim.page)).suffix
        here = Path(self.env.doc2path(self.env.docname, base=False)).parent
        return f"[]({os.path.relpath(claim.page, here)}{suffix})"

    def markdown(self, root: Path) -> str:
        return rules() if "rules" in self.options else table(root, self._link)


class VerdictRole(SphinxRole):
    """The role ``verdict``: what the scoreboard says of a claim, by its key."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        try:
            found = judge(claim_of(self.text), artifact_root(self)).verdict
        except (ValueError, UserError) as error:
            raise ExtensionError(f"{where(self)}: {error}") from error
        self.env.note_reread()  # a result that arrives changes no file that this page knows
        return [nodes.strong("", found)], []


def setup(app: Sphinx) -> dict[str, bool]:
    app.setup_extension("artifact_role")  # where the artifacts lie
    app.add_directive("scoreboard", Scoreboard)
    app.add_role("verdict", VerdictRole())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
