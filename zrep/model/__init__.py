"""Pure values: names, ZFS inventory, policy, sources, backups, plans and runs. No IO."""
