"""Documents to the model: merged into sections, read kind by kind, put together into one draft of a configuration.

`files.read_files` is the entry. It reports what has the wrong form, and reads on: what it yields of a faulty text is only good for finding
more faults. Whether names exist and values make sense is not asked here.
"""
