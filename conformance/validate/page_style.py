"""The style sheet of the HTML report."""

STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:1.5rem auto;padding:0 1.5rem;max-width:110rem;color:#1b1b1b}
h1{font-size:1.4rem} h2{font-size:1.15rem;margin:2rem 0 .3rem;border-top:2px solid #ddd;padding-top:1rem}
h3{font-size:1rem;margin:1rem 0 .4rem}
table.findings{border-collapse:collapse;width:100%}
.findings td,.findings th{border:1px solid #bbb;padding:.35rem .5rem;text-align:left;vertical-align:top}
.findings th{background:#f1f1f1} code{font-size:.85em;overflow-wrap:anywhere}
.ok{color:#116329}.ko{color:#b3261e}.note{color:#555}
.findings .error td:first-child,.source .error{background:#f9d7d4}
.findings .warning td:first-child,.source .warning{background:#fbeecb}
.findings .info td:first-child,.source .info{background:#dfeaf7}
.pair{display:grid;grid-template-columns:minmax(0,1fr) minmax(0,1fr);gap:1rem;margin-top:1rem}
.pair iframe{width:100%;height:75vh;border:1px solid #bbb;background:#fff}
.source{height:75vh;overflow:auto;border:1px solid #bbb;background:#fafafa}
.source table{border-collapse:collapse;font-size:13px} .source td{padding:0 .5rem;vertical-align:top}
.source td:first-child{color:#767676;text-align:right;user-select:none}
.source td code{white-space:pre-wrap}
tr:target{outline:2px solid #1a5fb4}
@media (max-width:60rem){.pair{grid-template-columns:1fr}}
@media print{.pair{display:block}.pair iframe,.source{height:auto;min-height:40rem}}
"""
