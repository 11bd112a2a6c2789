"""Where a dataset's genes come from: a module a source, with its options and what it makes of them.

`RemcConfig` answers the class of each that has been imported: these are all.
"""

from .config import RemcConfig
from .published import PublishedConfig
from .reading import ReadingConfig
from .roadmap import RoadmapConfig
from .sample_sheet import SampleSheetConfig
from .signal_array import SignalArrayConfig
from .simulated import SimulatedConfig

__all__ = [
    "PublishedConfig",
    "ReadingConfig",
    "RemcConfig",
    "RoadmapConfig",
    "SampleSheetConfig",
    "SignalArrayConfig",
    "SimulatedConfig",
]
