"""Tracks that belong together in a genome browser: one of each mark."""

import re
from typing import NamedTuple


class Track(NamedTuple):
    """A bigWig file.

    Attributes:
        name: Of the track; letters, digits, underscores and dashes.
        mark: Name of the mark.
        file: Name of the file.
        lowest: Its lowest value.
        highest: Its highest value.
    """

    name: str
    mark: str
    file: str
    lowest: float
    highest: float


class TrackGroup(NamedTuple):
    """The tracks of one importance method, or of the measured signal.

    Attributes:
        name: Of the method, or `signal`; letters, digits and underscores.
        label: What it shows, in words.
        tracks: One a mark.
        is_comparable: Whether the marks have one scale.
        is_signed: Whether negative values say something else.
        top_bins: Name of a file of top bins without its suffix, `.bed` or `.bb`; '' for none.
    """

    name: str
    label: str
    tracks: tuple[Track, ...]
    is_comparable: bool
    is_signed: bool
    top_bins: str


def safe_name(name: str) -> str:
    """A name of letters, digits, underscores and dashes, for files and tracks."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)
