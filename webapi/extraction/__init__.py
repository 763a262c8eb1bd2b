"""Text out of files that somebody uploads: Markdown, text, PDF and DOCX, none of them trusted.

What parses a PDF or a DOCX runs in a process of its own, which may take so much time and memory and
knows no secret. This file imports no parser, so that such a process starts fast.
"""
