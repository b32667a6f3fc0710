"""Others' formats, each read as labelled pictures and enrolled as any others are."""
