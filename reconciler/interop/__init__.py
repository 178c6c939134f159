"""Pacemaker's configuration format, in and out: `reading.cib.read_cib` and `writing.cib.write_cib`, for the CIB as XML.

What is odd about reading XML is dealt with here: former names, references by id, attributes of old schemas. Reading is bounded,
resolves no entities, and raises only its own errors with a line.

It knows nothing of YAML, and decides nothing: what the texts mean is the model's and the scheduler's.
"""
