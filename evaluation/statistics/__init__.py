"""What is computed of measured curves: BD-rates, intervals, decibels."""
