"""The pages of docs/ are held to the code."""
