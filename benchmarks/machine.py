"""What is measured on."""

import platform
import re
from pathlib import Path


def cpu_model() -> str:
    """The name of the CPU."""
    cpuinfo = Path("/proc/cpuinfo")
    text = cpuinfo.read_text() if cpuinfo.is_file() else ""
    found = re.search(r"model name\s*: (.+)", text)
    return found[1].strip() if found else platform.processor() or platform.machine()
