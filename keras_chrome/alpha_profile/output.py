"""An alpha profile in words and files."""

from pathlib import Path

from keras_chrome.alpha_profile.profile import AlphaProfile
from keras_chrome.runs.files import write_figure_and_table
from keras_chrome.tables import format_table


def summary(profile: AlphaProfile) -> str:
    """What was averaged, where alpha is highest, and beta."""
    lines = [
        f"{profile.dataset}, {profile.split} split, {profile.model}: {profile.num_on} genes "
        f"predicted ON, {profile.num_off} OFF",
        f"ON: {profile.on_rule}",
    ]
    if profile.num_unknown_strand:
        lines.append(
            f"{profile.num_unknown_strand} of them are of unknown strand: their bins run along the "
            "genome"
        )
    rows = []
    for (prediction, mark), of_mark in profile.table.groupby(["prediction", "mark"], sort=False):
        alpha, beta = (of_mark[of_mark["quantity"] == name] for name in ("alpha", "beta"))
        highest = alpha.iloc[alpha["mean"].argmax()]
        row = {
            "mark": mark,
            "predicted": prediction,
            "highest alpha": highest["mean"],
            "at bp": highest["bin_start_bp"],
        }
        if len(beta):
            row["beta"] = beta["mean"].item()
            row["95 % interval"] = (beta["low"].item(), beta["high"].item())
        rows.append(row)
    return "\n".join([*lines, "", format_table(rows), ""])


def write_alpha_profile(profile: AlphaProfile, stem: Path) -> list[Path]:
    """Draw a profile and write its numbers, as `write_figure_and_table` says."""
    from keras_chrome.alpha_profile.figure import draw_alpha_profile

    return write_figure_and_table(stem, draw_alpha_profile(profile), profile.table)
