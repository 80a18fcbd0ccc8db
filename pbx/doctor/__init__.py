"""`pbx doctor`: attacks the running system from outside and says which promises hold."""
