"""The parts of a mail (MIME), and what is written in them."""
