"""The session, as IGV's reader takes it apart."""

from xml.etree import ElementTree

from keras_chrome.tracks.group import Track, TrackGroup
from keras_chrome.tracks.igv_session import igv_session_text

SIGNAL = TrackGroup(
    name="signal",
    label="measured signal",
    tracks=(Track("signal_H3K4me3", "H3K4me3", "signal.H3K4me3.bw", 0, 9),),
    is_comparable=False,
    is_signed=False,
    top_bins="",
)
OCCLUSION = TrackGroup(
    name="occlusion",
    label="occlusion",
    tracks=(
        Track("occlusion_H3K4me3", "H3K4me3", "occlusion.H3K4me3.bw", -0.25, 1),
        Track("occlusion_CTCF", "CTCF", "occlusion.CTCF.bw", 0.5, 2),
    ),
    is_comparable=True,
    is_signed=True,
    top_bins="occlusion.top_bins",
)
TEXT = igv_session_text("hg19", "chr1:1-100", [SIGNAL, OCCLUSION])
SESSION = ElementTree.fromstring(TEXT)


def test_the_session_names_genome_and_place() -> None:
    assert TEXT.startswith("<?xml")
    assert SESSION.tag == "Session"
    assert SESSION.attrib == {
        "genome": "hg19",
        "locus": "chr1:1-100",
        "version": "8",
        "nextAutoscaleGroup": "3",
    }


def test_every_track_is_of_a_resource() -> None:
    resources = [resource.attrib for resource in SESSION.iterfind("Resources/Resource")]
    assert resources == [
        {"path": "signal.H3K4me3.bw", "type": "bw"},
        {"path": "occlusion.H3K4me3.bw", "type": "bw"},
        {"path": "occlusion.CTCF.bw", "type": "bw"},
        {"path": "occlusion.top_bins.bed", "type": "bed"},
    ]
    tracks = [track.attrib["id"] for track in SESSION.iterfind("Panel/Track")]
    assert tracks == [resource["path"] for resource in resources]


def test_marks_on_one_scale_share_it() -> None:
    signal, h3k4me3, ctcf, _ = SESSION.iterfind("Panel/Track")
    assert signal.attrib["autoScale"] == "true"
    assert "autoscaleGroup" not in signal.attrib
    assert signal.find("DataRange") is None
    limits = {"minimum": "-0.25", "maximum": "2", "baseline": "0", "type": "LINEAR"}
    for track in (h3k4me3, ctcf):
        assert (track.attrib["autoScale"], track.attrib["autoscaleGroup"]) == ("false", "2")
        (data_range,) = track.iterfind("DataRange")
        assert data_range.attrib == limits


def test_colours() -> None:
    signal, h3k4me3, ctcf, _ = SESSION.iterfind("Panel/Track")
    assert signal.attrib["color"] == h3k4me3.attrib["color"] == "0,114,178"
    assert ctcf.attrib["color"] == "85,85,85"
    assert h3k4me3.attrib["altColor"] == "102,102,102"
    assert "altColor" not in signal.attrib
