"""Importance and signal as tracks for genome browsers."""

from keras_chrome.tracks.genome_tracks import Tracks, tracks
from keras_chrome.tracks.output import write_tracks

__all__ = ["Tracks", "tracks", "write_tracks"]
