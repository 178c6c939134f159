"""Running what the cluster manages: resource agents of every class, in bounds that no agent can break.

The entry is `executor.AgentRunner.run(call)`, which answers every `AgentCall` with an `AgentResult`, within its deadline, and
raises for none. What a call has started is gone when it is answered, but for the service itself. Beside it: `metadata` (what
agents say of themselves), `liveness` (a hint that a service's processes have gone), `suite` (does an agent keep its promises).

It knows neither the CIB nor placement, nor whether a result is a success: it knows calls, codes and processes.
"""
