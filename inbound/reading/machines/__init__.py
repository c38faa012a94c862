"""The signs by which mail of machines is told from mail of people."""
