"""Answers -> numbers: AVEB's eleven tasks, by the field's own metrics."""
