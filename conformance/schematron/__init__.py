"""Our own Schematron engine: ISO Schematron (xslt2 binding) compiled to one XSLT 3, run by SaxonC.

`source` reads and expands rules, `compiler` writes the stylesheet, `engine` runs it, `worker` and `client`
keep it warm in child processes, `steps` knows the official validation of the CI-SIS.
"""
