"""Detectors under a policy: what is done about what they find, in whole texts and in streams."""
