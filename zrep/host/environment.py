"""The environment every program runs in, here and on other hosts. Pure constants."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

FIXED_ENVIRONMENT: Mapping[str, str] = MappingProxyType(
    {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C.UTF-8",
    }
)
"""Same search path and same wordings everywhere: what a program prints can be parsed."""
