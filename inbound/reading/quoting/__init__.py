"""What mail programs and people write above and below a quotation."""
