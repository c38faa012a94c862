"""What a delivery report says, in its fields or in words."""
