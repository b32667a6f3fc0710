"""The name of a snapshot's file: collection, version and checksum."""

from __future__ import annotations

import re

NAME = re.compile(r"c(?P<collection>\d+)-v(?P<version>\d+)-(?P<digest>[0-9a-f]{64})\.npz")
