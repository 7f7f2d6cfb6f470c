"""The API described for machines: `document.py` puts together what `subjects/` say, in the `words` they share."""
