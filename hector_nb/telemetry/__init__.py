"""What operators see of turns and streams: numbers, spans and log lines. The engine knows `base.py` alone."""
