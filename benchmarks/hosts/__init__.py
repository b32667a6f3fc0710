"""Worker hosts in network namespaces of this machine: cut off, killed, held against what must not be lost."""
