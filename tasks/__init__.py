"""The work: the three task shells (`pipeline`), and the plain functions they call.

May import `store` and `opssage`. The stages import only `opssage` and never each other.
"""
