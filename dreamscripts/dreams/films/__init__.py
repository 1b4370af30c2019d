"""Films: streams of frames that are dreamt one after the other."""
