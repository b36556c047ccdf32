"""What the model sees and what it remembers."""
