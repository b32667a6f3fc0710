"""Other services' formats, each read as labelled pictures that are enrolled like any others."""
