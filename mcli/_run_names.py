"""What the platform accepts as the name of a run, and of an image."""

from __future__ import annotations

import re

from mcli.exceptions import MCLIRunConfigValidationError

__all__ = ["check_image", "cleaned"]

_LONGEST_VALID = 63
_LONGEST_STEM = 56
"""What is left of 63 for the hyphen and the six characters that the platform appends."""

_HOST = r"[a-z0-9.-]+(?::[0-9]+)?/"
_PART = r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?"
_TAG = r":\w[\w.-]{0,127}"
_DIGEST = r"@[\w:]+"
_IMAGE = re.compile(rf"(?:{_HOST})?{_PART}(?:/{_PART})*(?:{_TAG}|{_DIGEST})?", re.ASCII)


def cleaned(name: str) -> str:
    """Return the run name as the platform takes it: lower case letters, digits and hyphens between them.

    An invalid name that is too long to be mended is returned as it is; the platform then says what is wrong.

    >>> cleaned("My Run")
    'my-run'
    """
    if not name or _is_valid(name) or len(name) > _LONGEST_STEM:
        return name
    clean = re.sub(r"[^a-z0-9-]", "-", name.lower())[:_LONGEST_VALID]
    if clean.startswith("-"):
        clean = f"1{clean[:-1]}"
    return f"{clean[:-1]}1" if clean.endswith("-") else clean


def _is_valid(name: str) -> bool:
    return bool(re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", name))


def check_image(image: object) -> str:
    """Return the image, if it is the name of one.

    Raises:
        MCLIRunConfigValidationError: It is missing, or can be no image's name.
    """
    if not image:
        raise MCLIRunConfigValidationError("A run needs an image: RunConfig(image='mosaicml/composer', ...)")
    if not isinstance(image, str) or not _IMAGE.fullmatch(image):
        raise MCLIRunConfigValidationError(
            f"image {image!r} is no image name. It has the form [host[:port]/]name[/name...] in lower case, "
            "and then one of :tag and @digest."
        )
    return image
