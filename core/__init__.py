"""The vocabulary of the service: types, errors, settings, labels, results and picture decoding."""
