"""The configuration: read from TOML, checked as a whole, every problem with file and line.

`load` does the reading; everything else here is decided by its arguments alone.
"""

from zrep.config.load import convert_file, load, load_sections, tables_in

__all__ = ["convert_file", "load", "load_sections", "tables_in"]
