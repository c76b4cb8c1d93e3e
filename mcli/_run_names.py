"""What platforms accept as the name of a run, of an image, and of a priority."""

from __future__ import annotations

import re

from mcli._spelling import edit_distance

__all__ = ["LONGEST_STEM", "PRIORITIES", "cleaned", "is_image", "is_priority", "meant_priority"]

_LONGEST_VALID = 63
LONGEST_STEM = 56
"""What is left of 63 for the hyphen and the six characters that the platform appends."""

_HOST = r"[a-z0-9.-]+(?::[0-9]+)?/"
_PART = r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?"
_TAG = r":\w[\w.-]{0,127}"
_DIGEST = r"@[\w:]+"
_IMAGE = re.compile(rf"(?:{_HOST})?{_PART}(?:/{_PART})*(?:{_TAG}|{_DIGEST})?", re.ASCII)

PRIORITIES = ("lowest", "low", "medium", "standard", "auto", "default", "high", "highest")
"""Every name that a platform has been seen to take. Others may be known to newer ones."""
_MISSPELT = 2
"""Letters in which a misspelt priority differs from the one that was meant, at most."""


def cleaned(name: str) -> str:
    """Return the run name as the platform takes it: lower case letters, digits and hyphens between them.

    An invalid name that is too long to be mended is returned as it is; the platform then says what is wrong.

    >>> cleaned("My Run")
    'my-run'
    """
    if not name or _is_valid(name) or len(name) > LONGEST_STEM:
        return name
    clean = re.sub(r"[^a-z0-9-]", "-", name.lower())[:_LONGEST_VALID]
    if clean.startswith("-"):
        clean = f"1{clean[:-1]}"
    return f"{clean[:-1]}1" if clean.endswith("-") else clean


def _is_valid(name: str) -> bool:
    return bool(re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", name))


def is_image(image: object) -> bool:
    """Tell whether this can be the name of an image.

    >>> is_image("mosaicml/pytorch:latest"), is_image("MosaicML/pytorch")
    (True, False)
    """
    return isinstance(image, str) and bool(_IMAGE.fullmatch(image))


def is_priority(priority: str) -> bool:
    """Tell whether this is a known priority, in any letter case."""
    return priority.lower() in PRIORITIES


def meant_priority(priority: str) -> str | None:
    """Return the known priority that was misspelt, None where the name is known or like none of them.

    >>> meant_priority("lowset"), meant_priority("Low"), meant_priority("urgent")
    ('lowest', None, None)
    """
    if is_priority(priority):
        return None
    distance, nearest = min((edit_distance(priority.lower(), known), known) for known in PRIORITIES)
    return nearest if distance <= _MISSPELT else None
