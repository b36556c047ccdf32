"""HTTP, server-sent events and WebSocket: translation only."""
