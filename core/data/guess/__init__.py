"""From raw files to the settings of an experiment: what lies there, how it is written, what each column means.

Every guess carries the reason it was made, for a comment beside the setting. A guess is only where the file is begun:
it is written out, read and changed by a person, and no stage ever guesses again.
"""
