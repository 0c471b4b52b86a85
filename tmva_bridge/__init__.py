"""tmva_bridge: TMVA's methods, files and option strings for people whose analysis lives in ROOT's TMVA."""
