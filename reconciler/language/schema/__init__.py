"""The form of the language: JSON Schemas made from the tables of settings, and the judge that holds a document against them.

`sections.bundle()` is what documents are judged by, `sections.published()` what stands in `schemas/` for editors. It knows names, kinds and
words, and no reference from one value to another.
"""
