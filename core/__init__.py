"""The vocabulary of the service: types, errors, settings and picture decoding."""
