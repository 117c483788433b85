"""Verdicts of the scoreboard as a page quotes them: the claim, then what came out."""

from __future__ import annotations

from IPython.display import Markdown

from labs.claims.evidence import OPEN
from labs.claims.scoreboard import CLAIMS, claim_of, judge


def verdict(key: str) -> Markdown:
    """One claim of the source manuscript, its verdict, and the numbers behind it.

    Args:
        key: of the claim, as in ``labs.claims.scoreboard.CLAIMS``.

    Raises:
        ValueError: there is no such claim.
        UserError: an artifact is damaged.
    """
    claim = claim_of(key)
    found = judge(claim)
    numbers = found.effect + f" ({found.seeds})" * (found.verdict != OPEN)
    return Markdown(
        f"> **Claim {key}:** “{claim.says}” **{_sentence(found.verdict)}**\n>\n> {numbers}."
    )


def word(key: str) -> str:
    """The verdict on a claim alone, such as ``does not hold``."""
    return judge(claim_of(key)).verdict


def in_short(page: str) -> Markdown:
    """What came of the claims that a page is about, without numbers: a box for its top.

    Args:
        page: file name of the page, without ending.

    Raises:
        ValueError: no claim is shown there.
    """
    lines = [
        f"> - “{claim.says}” **{_sentence(judge(claim).verdict)}**"
        for claim in CLAIMS
        if claim.page.endswith(f"/{page}") and claim.key.isdigit()
    ]
    if not lines:
        raise ValueError(f"no claim is shown on the page {page!r}")
    return Markdown(
        "\n".join(["> **In short.** The source manuscript says, and here came out:", ">", *lines])
    )


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."
