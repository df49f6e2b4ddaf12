"""Video: models that see several frames, and files from end to end.

Only what reads and writes files needs PyAV, and imports it: `srkit.video.upscaling` and
what that uses.
"""
