"""The 56 REMC epigenomes of the paper, and the histone marks of the published files."""

import dataclasses
import re
from collections.abc import Iterable, Iterator

MARKS = ("H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3")
"""The five core marks, in the column order of the published files."""

HELD_OUT_MARK = "H3K27ac"
"""The mark that no model of the paper is trained on and that validates its attention."""


@dataclasses.dataclass(frozen=True)
class Epigenome:
    """One reference epigenome of the Roadmap consolidated release.

    Attributes:
        eid: Roadmap id, "E003".
        name: Roadmap's standardized epigenome name.
        group: Roadmap's group of related epigenomes; ENCODE's cell lines are "ENCODE2012".
        has_h3k27ac: Whether the consolidated release holds observed H3K27ac for it.
    """

    eid: str
    name: str
    group: str
    has_h3k27ac: bool = True


EPIGENOMES: dict[str, Epigenome] = {
    epigenome.eid: epigenome
    for epigenome in (
        Epigenome("E003", "H1 Cells", "ESC"),
        Epigenome("E004", "H1 BMP4 Derived Mesendoderm Cultured Cells", "ES-deriv"),
        Epigenome("E005", "H1 BMP4 Derived Trophoblast Cultured Cells", "ES-deriv"),
        Epigenome("E006", "H1 Derived Mesenchymal Stem Cells", "ES-deriv"),
        Epigenome("E007", "H1 Derived Neuronal Progenitor Cultured Cells", "ES-deriv"),
        Epigenome("E011", "hESC Derived CD184+ Endoderm Cultured Cells", "ES-deriv"),
        Epigenome("E012", "hESC Derived CD56+ Ectoderm Cultured Cells", "ES-deriv"),
        Epigenome("E013", "hESC Derived CD56+ Mesoderm Cultured Cells", "ES-deriv"),
        Epigenome("E016", "HUES64 Cells", "ESC"),
        Epigenome("E024", "ES-UCSF4 Cells", "ESC", has_h3k27ac=False),
        Epigenome("E027", "Breast Myoepithelial Primary Cells", "Epithelial", has_h3k27ac=False),
        Epigenome(
            "E028",
            "Breast variant Human Mammary Epithelial Cells (vHMEC)",
            "Epithelial",
            has_h3k27ac=False,
        ),
        Epigenome(
            "E037", "Primary T helper memory cells from peripheral blood 2", "Blood & T-cell"
        ),
        Epigenome("E038", "Primary T helper naive cells from peripheral blood", "Blood & T-cell"),
        Epigenome("E047", "Primary T CD8+ naive cells from peripheral blood", "Blood & T-cell"),
        Epigenome(
            "E050", "Primary hematopoietic stem cells G-CSF-mobilized Female", "HSC & B-cell"
        ),
        Epigenome(
            "E053", "Cortex derived primary cultured neurospheres", "Neurosph", has_h3k27ac=False
        ),
        Epigenome(
            "E054",
            "Ganglion Eminence derived primary cultured neurospheres",
            "Neurosph",
            has_h3k27ac=False,
        ),
        Epigenome("E055", "Foreskin Fibroblast Primary Cells skin01", "Epithelial"),
        Epigenome("E056", "Foreskin Fibroblast Primary Cells skin02", "Epithelial"),
        Epigenome(
            "E057", "Foreskin Keratinocyte Primary Cells skin02", "Epithelial", has_h3k27ac=False
        ),
        Epigenome("E058", "Foreskin Keratinocyte Primary Cells skin03", "Epithelial"),
        Epigenome("E059", "Foreskin Melanocyte Primary Cells skin01", "Epithelial"),
        Epigenome("E061", "Foreskin Melanocyte Primary Cells skin03", "Epithelial"),
        Epigenome("E062", "Primary mononuclear cells from peripheral blood", "Blood & T-cell"),
        Epigenome("E065", "Aorta", "Heart"),
        Epigenome("E066", "Liver", "Other"),
        Epigenome("E070", "Brain Germinal Matrix", "Brain", has_h3k27ac=False),
        Epigenome("E071", "Brain Hippocampus Middle", "Brain"),
        Epigenome("E079", "Esophagus", "Digestive"),
        Epigenome("E082", "Fetal Brain Female", "Brain", has_h3k27ac=False),
        Epigenome("E084", "Fetal Intestine Large", "Digestive"),
        Epigenome("E085", "Fetal Intestine Small", "Digestive"),
        Epigenome("E087", "Pancreatic Islets", "Other"),
        Epigenome("E094", "Gastric", "Digestive"),
        Epigenome("E095", "Left Ventricle", "Heart"),
        Epigenome("E096", "Lung", "Other"),
        Epigenome("E097", "Ovary", "Other"),
        Epigenome("E098", "Pancreas", "Other"),
        Epigenome("E100", "Psoas Muscle", "Muscle"),
        Epigenome("E104", "Right Atrium", "Heart"),
        Epigenome("E105", "Right Ventricle", "Heart"),
        Epigenome("E106", "Sigmoid Colon", "Digestive"),
        Epigenome("E109", "Small Intestine", "Digestive"),
        Epigenome("E112", "Thymus", "Thymus"),
        Epigenome("E113", "Spleen", "Other"),
        Epigenome("E114", "A549 EtOH 0.02pct Lung Carcinoma Cell Line", "ENCODE2012"),
        Epigenome("E116", "GM12878 Lymphoblastoid Cells", "ENCODE2012"),
        Epigenome("E117", "HeLa-S3 Cervical Carcinoma Cell Line", "ENCODE2012"),
        Epigenome("E118", "HepG2 Hepatocellular Carcinoma Cell Line", "ENCODE2012"),
        Epigenome("E119", "HMEC Mammary Epithelial Primary Cells", "ENCODE2012"),
        Epigenome("E120", "HSMM Skeletal Muscle Myoblasts Cells", "ENCODE2012"),
        Epigenome("E122", "HUVEC Umbilical Vein Endothelial Primary Cells", "ENCODE2012"),
        Epigenome("E123", "K562 Leukemia Cells", "ENCODE2012"),
        Epigenome("E127", "NHEK-Epidermal Keratinocyte Primary Cells", "ENCODE2012"),
        Epigenome("E128", "NHLF Lung Fibroblast Primary Cells", "ENCODE2012"),
    )
}
"""The epigenomes that have both the five core marks and RNA-seq, by id."""

_MARK = re.compile(
    r"(H(?:1|2A|2B|3|4)[KRSTY]\d+)(ac|bu|cr|me[123]?[as]?|ph?|su|ub\d?)", re.IGNORECASE
)


def canonical_mark(name: str) -> str:
    """Returns the usual spelling of a modified histone; any other name stays as it is.

    Example:
        >>> [canonical_mark(name) for name in ("H3K4Me3", "h2ak5AC", "H2A.Z", "CTCF")]
        ['H3K4me3', 'H2AK5ac', 'H2A.Z', 'CTCF']
    """
    match = _MARK.fullmatch(name)
    return match[1].upper() + match[2].lower() if match else name


def spelling_warnings(written: Iterable[str], where: str) -> Iterator[str]:
    """Yields a line on each mark that is spelled in an unusual way.

    Args:
        written: The marks as `where` spells them.
        where: A file or an option.
    """
    for name in written:
        if (mark := canonical_mark(name)) != name:
            yield f"{where}: {name} is taken for {mark}"
