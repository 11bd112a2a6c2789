"""What an ensemble says of itself on the screen."""

from collections.abc import Sequence

from keras_chrome.runs import Run
from keras_chrome.tables import format_table


def summary(run: Run, members: Sequence[Run]) -> str:
    """The members and the ensemble below them: a table.

    Args:
        run: The ensemble.
        members: Its members, in order.
    """
    task = run.task
    weights = [*(member.weight for member in run.config.members), 1.0]
    return format_table(
        [
            {
                "run": str(row.path),
                "model": row.model_name,
                "seed": "" if row is run else row.config.seed,
                "weight": weight,
                **{
                    f"{split} {task.monitor_title}": row.metrics[split][task.monitor]
                    for split in ("valid", "test")
                },
            }
            for row, weight in zip([*members, run], weights, strict=True)
        ]
    )
