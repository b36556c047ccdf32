"""What people touch: terminal, cells."""
