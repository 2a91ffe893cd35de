"""Text on disk as numpy arrays: vocabularies, streams of ids, corpora.  Never imports dynet."""
