"""Pure decisions: values in, plans out. No IO, no clock."""
