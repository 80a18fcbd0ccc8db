"""The process that holds the keys of people and mailboxes."""
