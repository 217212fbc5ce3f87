/** The page's look, in a light and a dark theme as the reader's system has it. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #ffffff; --panel: #f6f7f9; --line: #dfe3e8; --text: #1b1f24; --quiet: #5b6570;
  --series-0: #1f6fd0; --series-1: #c2410c; --series-2: #15803d; --series-3: #9333ea; --series-4: #b45309; --series-5: #0e7490;
  --right: #1f6fd0; --wrong: #d9480f; --warn: #8a5a00; --warn-panel: #fff6e0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171b; --panel: #1d2127; --line: #343a43; --text: #e6e9ed; --quiet: #a0a9b4;
    --series-0: #6aa9f4; --series-1: #f59e6b; --series-2: #6fcf8f; --series-3: #c9a2f7; --series-4: #e6b84f; --series-5: #5fc9d8;
    --right: #4f8fe0; --wrong: #e0703a; --warn: #f0c674; --warn-panel: #2b2618;
  }
}
* { box-sizing: border-box }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 980px; margin: 0 auto; padding: 2rem 1.25rem 4rem; background: var(--page); color: var(--text) }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .25rem } h2 { font-size: 1.15rem; margin: 2.75rem 0 .75rem } h3 { font-size: .95rem; margin: 1.25rem 0 .4rem }
p { margin: .4rem 0 } .quiet { color: var(--quiet) } section > p { max-width: 75ch }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: .75rem; margin: 1.25rem 0 0 }
.tile { background: var(--panel); border-radius: 8px; padding: .7rem .9rem } .tile dd { font-size: 1.35rem; font-weight: 600; margin: 0 } .tile dt { color: var(--quiet); font-size: .85rem }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 380px), 1fr)); gap: .5rem 1.5rem }
figure { margin: 0 0 1rem } figcaption { font-weight: 600; font-size: .95rem; margin-bottom: .25rem }
.legend { display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; color: var(--quiet); font-size: .85rem; margin-bottom: .2rem } .legend i { display: inline-block; width: 14px; height: 3px; border-radius: 2px; vertical-align: middle; margin-right: .4rem; background: var(--colour) } .legend .faint { opacity: .4 }
svg { display: block; width: 100%; height: auto; overflow: visible } svg text { fill: var(--quiet); font: 11px system-ui, sans-serif }
.grid { stroke: var(--line) } .curve { fill: none; stroke: var(--colour); stroke-width: 2; stroke-linejoin: round } .faint { stroke-width: 1; opacity: .4 } .dot { fill: var(--colour); stroke: var(--page) }
.block { fill: var(--colour) } .sheet { fill: var(--page) } svg .heading { fill: var(--text); font: 600 15px system-ui, sans-serif } .whisker { stroke: var(--text); stroke-width: 1.5 }
.mark { stroke: var(--quiet); stroke-dasharray: 3 3 }
.s0 { --colour: var(--series-0) } .s1 { --colour: var(--series-1) } .s2 { --colour: var(--series-2) } .s3 { --colour: var(--series-3) } .s4 { --colour: var(--series-4) } .s5 { --colour: var(--series-5) }
.wide { overflow-x: auto; margin-bottom: 1rem } table { border-collapse: collapse; font-size: .9rem } th { font-weight: 600; text-align: left } thead th { color: var(--quiet); font-weight: 500; vertical-align: bottom }
td, th { padding: .3rem .9rem .3rem 0; vertical-align: top } tbody tr { border-top: 1px solid var(--line) } .number { text-align: right; font-variant-numeric: tabular-nums }
.full { width: 100% } .full td { overflow-wrap: anywhere } .full .input { width: 60% }
.matrix td, .matrix th { padding: .3rem .5rem } .matrix td.cell { text-align: center; min-width: 2.4rem; font-variant-numeric: tabular-nums; border: 1px solid var(--page); background: color-mix(in srgb, var(--shade) calc(var(--share) * 75%), var(--panel)) }
.matrix .right { --shade: var(--right) } .matrix .wrong { --shade: var(--wrong) } .matrix thead th.turned { writing-mode: vertical-rl; transform: rotate(180deg); padding: .5rem .3rem; text-align: left } .matrix tr { border: 0 } .matrix tbody tr:last-child td { text-align: center }
.bar { display: block; height: .8rem; margin-top: .3rem; min-width: 1px; border-radius: 0 3px 3px 0; background: var(--colour) } .bars td:last-child { width: 60% }
.warning { background: var(--warn-panel); color: var(--warn); border-radius: 6px; padding: .45rem .75rem; overflow-wrap: anywhere }
.token { display: inline-block; background: var(--panel); border-radius: 4px; padding: 0 .4rem; margin: 0 .35rem .15rem 0; white-space: pre } .token small { color: var(--quiet); margin-left: .35rem }
.verdict { border-left: 4px solid var(--right); padding: .1rem .9rem; margin: .6rem 0 1rem } .verdict.differs { border-color: var(--wrong) } .verdict p { max-width: 75ch }
details { margin-top: .5rem } summary { cursor: pointer; color: var(--quiet) }
@media print { body { max-width: none; padding: 0 } figure, .tile, tr { break-inside: avoid } }
`
