"""The wires of the server: REST, server-sent events, WebSocket. They translate; the service decides."""
