"""What runs untrusted programs: a small fork server that has shut itself in before it takes the first program.

It is started by ..sandbox as a process of its own and imports nothing but the standard library and what lies in
this folder. server.py is its main loop; the other modules are one layer of protection each, or what a forked child does
(program.py, asserts.py). No process in here ever holds an expected output while it runs a program.
"""
