"""The hub's text, read as UCSC's browser reads it."""

from keras_chrome.tracks.group import Track, TrackGroup
from keras_chrome.tracks.hub import genomes_text, hub_text, track_db_text

LABEL = "attentive_chrome on remc/E012, test genes"


def group(name: str, *, is_signal: bool = False, is_signed: bool = False) -> TrackGroup:
    return TrackGroup(
        name=name,
        label=f"{name}, {LABEL}, of which there is much more to say than fits in",
        tracks=tuple(
            Track(f"{name}_{mark}", mark, f"{name}.{mark}.bw", -0.5, 1e-5)
            for mark in ("H3K4me3", "H3K9me3")
        ),
        is_comparable=not is_signal,
        is_signed=is_signed,
        top_bins="" if is_signal else f"{name}.top_bins",
    )


GROUPS = [
    group("signal", is_signal=True),
    group("saliency"),
    group("integrated_gradients", is_signed=True),
]


def stanzas(text: str) -> list[dict[str, str]]:
    """Settings by name; a blank line ends a stanza, whose indent means nothing."""
    return [
        dict(line.strip().split(" ", 1) for line in stanza.splitlines() if line.strip())
        for stanza in text.split("\n\n")
    ]


def test_hub_and_genomes() -> None:
    (hub,) = stanzas(hub_text("E012", LABEL, "me@example.org"))
    assert hub == {
        "hub": "keras_chrome_E012",
        "shortLabel": "E012",
        "longLabel": LABEL,
        "genomesFile": "genomes.txt",
        "email": "me@example.org",
    }
    assert stanzas(genomes_text("hg19")) == [{"genome": "hg19", "trackDb": "trackDb.txt"}]


def test_every_track_is_complete_and_has_its_parent_before_it() -> None:
    tracks = stanzas(track_db_text(GROUPS))
    names = [track["track"] for track in tracks]
    assert len(set(names)) == len(names) == 3 * 3 + 2
    for row, track in enumerate(tracks):
        assert next(iter(track)) == "track"
        assert {"type", "shortLabel", "longLabel"} <= set(track)
        assert 0 < len(track["shortLabel"]) <= 17
        assert 0 < len(track["longLabel"]) <= 76
        is_container = "container" in track or "compositeTrack" in track
        assert ("bigDataUrl" in track) != is_container
        if "parent" in track:
            assert track["parent"].split()[0] in names[:row]


def test_marks_on_one_scale_are_overlaid_and_others_are_not() -> None:
    tracks = {track["track"]: track for track in stanzas(track_db_text(GROUPS))}
    assert tracks["saliency"]["container"] == "multiWig"
    assert tracks["saliency"]["aggregate"] == "transparentOverlay"
    assert tracks["saliency_H3K9me3"]["parent"] == "saliency"
    assert tracks["signal"]["compositeTrack"] == "on"
    assert "container" not in tracks["signal"]
    assert tracks["signal_H3K9me3"]["parent"] == "signal on"


def test_a_bigwig_and_its_top_bins() -> None:
    tracks = {track["track"]: track for track in stanzas(track_db_text(GROUPS))}
    assert tracks["saliency_H3K4me3"] == {
        "track": "saliency_H3K4me3",
        "parent": "saliency",
        "type": "bigWig -0.5 1e-05",
        "bigDataUrl": "saliency.H3K4me3.bw",
        "shortLabel": "H3K4me3",
        "longLabel": f"H3K4me3: saliency, {LABEL}, of which there",
        "color": "0,114,178",
    }
    assert tracks["integrated_gradients_H3K4me3"]["altColor"] == "102,102,102"
    assert tracks["saliency_top_bins"]["type"] == "bigBed 9 +"
    assert tracks["saliency_top_bins"]["bigDataUrl"] == "saliency.top_bins.bb"
    assert "signal_top_bins" not in tracks


def test_long_names_are_shortened_where_it_hurts_least() -> None:
    tracks = {track["track"]: track for track in stanzas(track_db_text(GROUPS))}
    assert tracks["integrated_gradients"]["shortLabel"] == "integr. gradients"
    assert tracks["saliency"]["shortLabel"] == "saliency"
    (hub,) = stanzas(hub_text("x" * 30, LABEL, "me@example.org"))
    assert hub["shortLabel"] == "x" * 15 + "."
