"""What agents can do: tools, and the box that runs them within bounds."""
