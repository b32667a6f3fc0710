"""The images built and the compose file run, with podman, on a bare Debian: `make containers`."""
