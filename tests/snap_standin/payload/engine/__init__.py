"""The stand-in's SNAP Engine: what Java's classes are in the real one. Python 3.6; knows nothing of eojob."""
