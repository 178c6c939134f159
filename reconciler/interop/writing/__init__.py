"""The model into Pacemaker's XML, as `crm_verify` accepts it. `cib.write_cib` is the entry; the other files write a section each."""
