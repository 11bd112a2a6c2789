"""A UCSC track hub: the text files by which the browser finds tracks and knows how to draw them."""

from collections.abc import Iterable, Sequence

from keras_chrome.figures.palette import GREY, mark_colour
from keras_chrome.tracks.files import rgb
from keras_chrome.tracks.group import TrackGroup

# What the browser shows of a label.
_SHORT, _LONG = 17, 76
_Stanza = Iterable[tuple[str, object]]


def hub_text(name: str, label: str, email: str) -> str:
    """The text of `hub.txt`.

    Args:
        name: Of the dataset; letters, digits, underscores and dashes.
        label: What it holds, in words.
        email: Whom to ask about it; the format demands one.
    """
    return _text(
        [
            ("hub", f"keras_chrome_{name}"),
            ("shortLabel", _short(name)),
            ("longLabel", label[:_LONG]),
            ("genomesFile", "genomes.txt"),
            ("email", email),
        ]
    )


def genomes_text(genome: str) -> str:
    """The text of `genomes.txt`.

    Args:
        genome: UCSC's name of the assembly.
    """
    return _text([("genome", genome), ("trackDb", "trackDb.txt")])


def track_db_text(groups: Sequence[TrackGroup]) -> str:
    """The text of `trackDb.txt`.

    Marks on one scale are drawn over each other, as a multiWig; others below each other, as a
    composite. Top bins are a bigBed track of their own.

    Args:
        groups: The tracks, in order.

    Reference: https://genome.ucsc.edu/goldenPath/help/trackDb/trackDbHub.html.
    """
    stanzas = []
    for group in groups:
        stanzas += [_text(_container(group)), *_children(group)]
        if group.top_bins:
            stanzas.append(_text(_top_bins(group)))
    return "\n".join(stanzas)


def _container(group: TrackGroup) -> _Stanza:
    kind = (
        [
            ("container", "multiWig"),
            ("aggregate", "transparentOverlay"),
            ("showSubtrackColorOnUi", "on"),
        ]
        if group.is_comparable
        else [("compositeTrack", "on")]
    )
    return [
        ("track", group.name),
        *kind,
        ("type", "bigWig"),
        ("shortLabel", _short(group.name.replace("_", " "))),
        ("longLabel", group.label[:_LONG]),
        ("visibility", "full"),
        ("autoScale", "on"),
        ("alwaysZero", "on"),
        ("maxHeightPixels", "128:48:11"),
    ]


def _children(group: TrackGroup) -> Iterable[str]:
    for track in group.tracks:
        stanza = [
            ("track", track.name),
            ("parent", group.name if group.is_comparable else f"{group.name} on"),
            ("type", f"bigWig {track.lowest:.6g} {track.highest:.6g}"),
            ("bigDataUrl", track.file),
            ("shortLabel", _short(track.mark)),
            ("longLabel", f"{track.mark}: {group.label}"[:_LONG]),
            ("color", rgb(mark_colour(track.mark))),
        ]
        if group.is_signed:
            stanza.append(("altColor", rgb(GREY)))
        yield _text(stanza, indent="    ")


def _top_bins(group: TrackGroup) -> _Stanza:
    return [
        ("track", f"{group.name}_top_bins"),
        ("type", "bigBed 9 +"),
        ("bigDataUrl", f"{group.top_bins}.bb"),
        ("shortLabel", _short(f"{group.name.replace('_', ' ')} bins")),
        ("longLabel", f"Top bins: {group.label}"[:_LONG]),
        ("visibility", "pack"),
        ("itemRgb", "on"),
    ]


def _text(stanza: _Stanza, *, indent: str = "") -> str:
    return "".join(f"{indent}{setting} {value}\n" for setting, value in stanza)


def _short(label: str) -> str:
    """A label, its first word shortened if it is too long."""
    first, _, rest = label.partition(" ")
    if len(label) > _SHORT and (room := _SHORT - len(rest) - 2) > 0:
        label = f"{first[:room]}. {rest}"
    return label[:_SHORT]
