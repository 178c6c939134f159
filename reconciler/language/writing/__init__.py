"""From the model back to YAML: files written anew, and files of people put into the canonical form.

`files.to_files` writes a configuration that `load` reads as the same one; `formatting.format_file` keeps comments and meaning.
"""
