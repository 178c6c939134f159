"""The model into Pacemaker's XML, as `crm_verify` accepts it. `cib.cib_document` is the entry; the other files write a section each."""
