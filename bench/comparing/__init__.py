"""A result folder beside another one."""
