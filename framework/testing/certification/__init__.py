"""Certification of destinations: checks of everything that the contract asks of their authors."""
