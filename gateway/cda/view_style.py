"""Style sheet of the HTML view: screen and paper."""

from typing import Final

STYLE: Final = """
:root { --ink: #1d3b5c; --grey: #5b6470; --line: #d3d9e0; }
* { box-sizing: border-box; }
body { margin: 0; background: #eef1f5; color: #1b1f24;
  font: 16px/1.5 "Source Sans 3", "Segoe UI", Arial, sans-serif; }
main { max-width: 54rem; margin: 1.5rem auto; padding: 2.2rem 2.6rem; background: #fff; border-radius: 6px;
  box-shadow: 0 1px 4px rgb(0 0 0 / 12%); }
header { border-bottom: 2px solid var(--ink); padding-bottom: .6rem; }
address { font-style: normal; color: var(--grey); }
address strong { display: block; font-size: 1.35rem; color: var(--ink); }
address span + span::before { content: " · "; }
h1 { font-size: 1.45rem; text-align: center; margin: 1.6rem 0 1rem; }
h2 { font-size: 1.12rem; color: var(--ink); margin: 1.5rem 0 .4rem; border-bottom: 1px solid var(--line); }
h3, h4 { font-size: 1rem; color: var(--ink); margin: 1.1rem 0 .3rem; }
.who { display: flex; gap: 1.5rem; flex-wrap: wrap; margin-top: 1.1rem; }
.patient { flex: 1 1 24rem; border: 1px solid var(--line); border-radius: 4px; padding: .7rem 1rem; }
.to { flex: 0 1 15rem; }
.to h2 { margin: 0 0 .3rem; font-size: .95rem; font-weight: normal; color: var(--grey); border: 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: 0; }
dt { color: var(--grey); }
dd { margin: 0; overflow-wrap: anywhere; }
p { margin: .5rem 0; }
ul, ol { margin: .4rem 0; padding-left: 1.5rem; }
table { border-collapse: collapse; width: 100%; margin: .7rem 0; font-size: .94rem; }
caption { text-align: left; font-style: italic; padding-bottom: .2rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .5rem; border-bottom: 1px solid var(--line);
  overflow-wrap: anywhere; min-width: 5.6em; }
th { color: var(--grey); font-weight: 600; overflow-wrap: normal; }
.author { color: var(--grey); margin: .2rem 0; }
figure { margin: 1rem 0; }
embed { width: 100%; height: 60rem; border: 1px solid var(--line); }
img { max-width: 100%; }
.signature { text-align: right; margin-top: 2rem; }
footer { margin-top: 1.5rem; padding-top: .6rem; border-top: 1px solid var(--line); color: var(--grey);
  font-size: .88rem; }
@media print { body { background: #fff; } main { margin: 0; padding: 0; box-shadow: none; max-width: none; }
  embed { display: none; } }
"""
