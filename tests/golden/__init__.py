"""Journals that earlier versions of playact made: they must open, replay and go on for ever."""
