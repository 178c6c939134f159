"""The node as a process: the loop, the store on disk, the API, timers."""
