"""An alpha coverage in words and files."""

from pathlib import Path

from keras_chrome.alpha_coverage.coverage import AlphaCoverage
from keras_chrome.runs.files import write_figure_and_table
from keras_chrome.tables import wrapped


def summary(coverage: AlphaCoverage) -> str:
    """What was averaged, and the correlations."""
    lines = [
        f"{coverage.dataset}, {coverage.split} split, {coverage.model}: {coverage.num_genes} genes "
        f"expressed and predicted ON, {coverage.validation_mark} from "
        f"{coverage.validation_dataset}",
        f"ON: {coverage.on_rule}",
    ]
    if coverage.num_without_signal:
        lines.append(
            f"{coverage.num_without_signal} more are left out: without {coverage.validation_mark}"
        )
    if coverage.num_unknown_strand:
        lines.append(
            f"{coverage.num_unknown_strand} of the {coverage.num_genes} are of unknown strand: "
            "their bins run along the genome"
        )
    for name, row in coverage.correlations.iterrows():
        lines.append(
            f"Pearson r of the mean {name} of {coverage.mark} with {coverage.validation_mark}: "
            f"{row['r']:.3f}, 95 % interval {row['low']:.3f} to {row['high']:.3f}"
        )
    return "\n".join(map(wrapped, lines))


def write_alpha_coverage(coverage: AlphaCoverage, stem: Path) -> list[Path]:
    """Draw a coverage and write its numbers, as `write_figure_and_table` says."""
    from keras_chrome.alpha_coverage.figure import draw_alpha_coverage

    correlations = coverage.correlations.rename_axis("profile").reset_index()
    figure = draw_alpha_coverage(coverage)
    return write_figure_and_table(stem, figure, coverage.table, correlations=correlations)
