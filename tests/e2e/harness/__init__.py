"""What the end-to-end tests stand on: a front door process, a raw client, instances that do as they are told."""
