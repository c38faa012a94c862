"""Whether what somebody configured can be: pure checks, which models may ask."""
