"""Models compared over finished runs: the paper's Table 2, with errors and paired tests."""

from keras_chrome.leaderboard.board import Leaderboard, leaderboard
from keras_chrome.leaderboard.output import write_leaderboard

__all__ = ["Leaderboard", "leaderboard", "write_leaderboard"]
