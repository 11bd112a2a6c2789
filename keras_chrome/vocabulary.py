"""The names that options take. It imports nothing, so that `--help` can list them at once."""

CORE_MARKS = ("H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3")
SPLITS = ("train", "valid", "test")
SPLIT_SCHEMES = ("dataset", "random", "neighbours", "disjoint", "chromosome")
LABELS = ("median", "published")
ON_RULES = ("balanced", "rate")
TRANSFORMS = ("log1p", "none")
CALIBRATIONS = ("temperature", "none")
WRT = ("signal", "transformed")
MARK_WEIGHTS = ("separate", "shared")
LSTM_READS = ("own", "all")
PRECISIONS = ("auto", "float32", "mixed_float16", "mixed_bfloat16")
RECURRENCES = ("fused", "stock")
TASKS = ("classification", "regression")
TARGETS = ("hard", "soft", "distilled")
SCHEDULES = ("constant", "cosine", "one_cycle")
FREEZES = ("none", "encoder")
STRATEGIES = ("none", "mirrored", "multiworker")

_OTHER_NAMES = {"published": "dataset", "neighbors": "neighbours"}


def split_scheme(name: str) -> str:
    """A split scheme by any of its names.

    `published` is the name that `dataset` had, and has in the run directories of that time.
    """
    return _OTHER_NAMES.get(name.lower(), name)
