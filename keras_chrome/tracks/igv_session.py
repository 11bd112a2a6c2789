"""A session of the IGV desktop browser: the files to load, their order, colours and scales."""

from collections.abc import Sequence
from xml.etree import ElementTree

from keras_chrome.figures.palette import GREY, mark_colour
from keras_chrome.tracks.files import rgb
from keras_chrome.tracks.group import TrackGroup


def igv_session_text(genome: str, locus: str, groups: Sequence[TrackGroup]) -> str:
    """The XML of a session, which lies in the folder of the files.

    Marks on one scale share it, as an autoscale group; others have one each.

    Args:
        genome: IGV's id of the genome, or the name of a file of chromosome sizes.
        locus: What to show first, `chr1:1-10000`.
        groups: The tracks, in order.

    Reference: the reader, https://github.com/igvteam/igv, `session/IGVSessionReader.java`.
    """
    session = ElementTree.Element("Session", genome=genome, locus=locus, version="8")
    resources = ElementTree.SubElement(session, "Resources")
    panel = ElementTree.SubElement(session, "Panel", name="DataPanel")
    for number, group in enumerate(groups, start=1):
        scale_group = str(number) if group.is_comparable else ""
        lowest = min(0.0, *(track.lowest for track in group.tracks))
        highest = max(0.0, *(track.highest for track in group.tracks))
        title = group.name.replace("_", " ")
        for track in group.tracks:
            ElementTree.SubElement(resources, "Resource", path=track.file, type="bw")
            attributes = {"id": track.file, "name": f"{title}: {track.mark}", "height": "48"}
            attributes["color"] = rgb(mark_colour(track.mark))
            if group.is_signed:
                attributes["altColor"] = rgb(GREY)
            # A track of an autoscale group is scaled with the group, not by itself.
            attributes["autoScale"] = "false" if scale_group else "true"
            if scale_group:
                attributes["autoscaleGroup"] = scale_group
            element = ElementTree.SubElement(panel, "Track", attributes)
            if scale_group:
                limits = {"minimum": f"{lowest:.6g}", "maximum": f"{highest:.6g}"}
                ElementTree.SubElement(element, "DataRange", limits, baseline="0", type="LINEAR")
        if group.top_bins:
            file = f"{group.top_bins}.bed"
            ElementTree.SubElement(resources, "Resource", path=file, type="bed")
            attributes = {"id": file, "name": f"{title}: top bins", "displayMode": "EXPANDED"}
            ElementTree.SubElement(panel, "Track", attributes)
    session.set("nextAutoscaleGroup", str(len(groups) + 1))
    ElementTree.indent(session)
    text = ElementTree.tostring(session, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n{text}\n'
