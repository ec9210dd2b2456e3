"""What is measured: each module is a program that runs in an environment of its own."""
