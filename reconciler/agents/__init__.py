"""Running what the cluster manages: resource agents of every class, in bounds that no agent can break.

The entry is `executor.AgentRunner.run(call)`, which answers every `AgentCall` with an `AgentResult` and raises for none.
"""
