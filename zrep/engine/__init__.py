"""The verbs: observe, plan, check, execute, record. Everything that touches hosts starts here."""
