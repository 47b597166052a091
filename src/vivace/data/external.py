"""Downloads and archives under the name that scripts know."""

from __future__ import annotations

from vivace.data.archive import (
    extract,
    name_without_suffixes,
)
from vivace.data.download import (
    download_data,
    download_url,
    untar_data,
)
from vivace.data.urls import (
    URLs,
)

__all__ = [
    "URLs",
    "download_data",
    "download_url",
    "extract",
    "name_without_suffixes",
    "untar_data",
]
