"""`SessionService` over a wire, for Python: the sessions that a server keeps, used as if they were in this process.

`sessions.py` has the methods, `streams.py` turns as they come, `connection.py` HTTP. Below are `wire` and the vocabulary.
"""
