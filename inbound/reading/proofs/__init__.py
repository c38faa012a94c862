"""What proves who has sent a mail, and what its header block claims."""
