"""The family for those who come from Pacemaker: import, export, and simulate with the options and words of crm_simulate."""
