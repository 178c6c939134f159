"""The node as a process: the loop, the store on disk, the API, timers, and everything that has to be started and ended.

The entry is `service.serve(config)`. `shell` carries out what the node wishes and tells it what happened, `store` and `restore`
keep its state over any crash, `settling` holds all back while what was restored is in doubt, `compile` judges a commit, `api` and
`http` answer requests. It ends without stopping a single resource.

It decides nothing about resources or commits: that is the controller's. It knows no rule of the scheduler.
"""
