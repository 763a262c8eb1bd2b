"""What each sender posts, read into groups of alerts: one file for each form."""
