"""What the API says and is told of tickets, comments, files and people."""
