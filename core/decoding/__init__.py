"""The steps from a file's bytes to an upright picture in sRGB."""
