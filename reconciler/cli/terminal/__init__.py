"""What is written where: colour and signs on a terminal, files that are whole or not at all, pictures.

It knows nothing of clusters; every command may use it.
"""
