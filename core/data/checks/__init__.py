"""Looking at data before anything is trained on it: what there is in every column, and what would spoil a run.

`check_dataset` (check.py) works on the cut tables before encoding, and never stops at the first fault: each file here
is one kind of look, a function from columns to findings. Nothing is fitted and nothing is changed.
"""
