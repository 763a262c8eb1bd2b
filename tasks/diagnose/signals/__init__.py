"""The signals: tables of what to look for in evidence, and the readers that look.

Every reader takes a Case and yields findings. A new signal is a row in a table here.
"""
