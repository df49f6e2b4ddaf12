"""Video: models that see several frames, and files from end to end.

Only what reads and writes files needs PyAV, and imports it: `srkit.video.conversion` and
what that uses.
"""
