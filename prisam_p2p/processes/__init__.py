"""The processes of peers on this host: forked or spawned, sampled, watched, signalled, reaped."""
