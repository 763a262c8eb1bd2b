"""The words: incident, evidence, diagnosis, settings, errors and what every package needs.

Imports none of the other packages.
"""

__version__ = "0.1.0"
