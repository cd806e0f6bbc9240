"""What lets a run go on after it was stopped: its lock, its files, its journal, and the signals that ask it to stop."""
