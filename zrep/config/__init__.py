"""The configuration: read from TOML, checked as a whole, every problem with file and line.

`load` and `load_sections` do the reading; everything else here is decided by its arguments alone.
"""

from zrep.config.load import load

__all__ = ["load"]
