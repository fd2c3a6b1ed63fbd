// SPDX-License-Identifier: Apache-2.0
// The look of a report: one column, system fonts, colours as variables with a dark set. Pictures
// always stand on paper white, since their colours are chosen for it.
#include "runtime/report/parts.hpp"

namespace heddle::report {

std::string_view style_sheet() {
  return R"css(:root {
  --paper: #ffffff; --ink: #1f2933; --muted: #5b6673; --rule: #dfe3e8; --panel: #f6f7f9;
  --good: #0b6e4f; --good-bg: #e2f3ec; --info: #005a8f; --info-bg: #e0eff8;
  --bad: #a3330b; --bad-bg: #fbe7df; --caution: #7a5b00; --caution-bg: #faf0d2;
  --ours: #0072b2; --other: #b4bdc8;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --paper: #15191e; --ink: #e4e7eb; --muted: #9aa5b1; --rule: #333b45; --panel: #1d232a;
    --good: #7fd8b5; --good-bg: #12352a; --info: #86c5ec; --info-bg: #103044;
    --bad: #f3a683; --bad-bg: #43200f; --caution: #e6c766; --caution-bg: #3a2f0c;
    --ours: #4399cd; --other: #4b5662;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", Helvetica, Arial, sans-serif; }
main { max-width: 920px; margin: 0 auto; padding: 40px 24px 72px; }
header { margin-bottom: 8px; }
h1 { font-size: 34px; line-height: 1.2; margin: 0; letter-spacing: -0.01em; font-weight: 650; overflow-wrap: anywhere; }
h2 { font-size: 20px; margin: 44px 0 12px; padding-top: 14px; border-top: 1px solid var(--rule); font-weight: 650; }
h3 { font-size: 15px; margin: 26px 0 6px; font-weight: 600; }
p { margin: 8px 0; }
.brand { color: var(--muted); font-size: 13px; letter-spacing: 0.08em; text-transform: uppercase; margin: 0 0 6px; }
.lead { font-size: 18px; color: var(--muted); max-width: 62ch; }
.note { color: var(--muted); max-width: 75ch; }
.small { font-size: 13px; color: var(--muted); overflow-wrap: anywhere; }
.muted { color: var(--muted); }
.strong { font-weight: 650; }
code, pre { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 0.9em; }
pre { background: var(--panel); border: 1px solid var(--rule); border-radius: 6px; padding: 14px 16px;
  overflow-x: auto; line-height: 1.5; margin: 8px 0; }
.source .comment { color: var(--muted); font-style: italic; }
.source b { font-weight: 600; color: var(--info); }
.chips { display: flex; flex-wrap: wrap; gap: 8px; margin: 16px 0 0; }
.chip, .badge { border-radius: 12px; font-weight: 600; }
.chip { padding: 3px 12px; font-size: 14px; }
.badge { padding: 1px 9px; font-size: 12.5px; display: inline-block; justify-self: start; }
.good { color: var(--good); } .info { color: var(--info); }
.bad { color: var(--bad); } .caution { color: var(--caution); }
.chip.plain, .badge.plain { background: var(--panel); color: var(--muted); }
.chip.good, .badge.good { background: var(--good-bg); }
.chip.info, .badge.info { background: var(--info-bg); }
.chip.bad, .badge.bad { background: var(--bad-bg); }
.chip.caution, .badge.caution { background: var(--caution-bg); }
ul.claims, ul.failures { list-style: none; margin: 0; padding: 0; }
ul.claims li { display: grid; grid-template-columns: 92px 1fr; gap: 14px; align-items: baseline;
  padding: 10px 0; border-bottom: 1px solid var(--rule); }
ul.claims li:last-child { border-bottom: 0; }
ul.claims p { margin: 2px 0 0; font-size: 14px; }
ul.claims code { font-size: 15px; }
ul.failures li { background: var(--bad-bg); border-radius: 6px; padding: 8px 12px; margin: 6px 0; overflow-wrap: anywhere; }
dl.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(190px, 1fr)); gap: 12px; margin: 8px 0 18px; }
dl.cards > div { background: var(--panel); border-radius: 8px; padding: 12px 16px; }
dl.cards dt { font-size: 13px; color: var(--muted); }
dl.cards dd { margin: 0; font-size: 24px; font-weight: 600; line-height: 1.3; font-variant-numeric: tabular-nums; }
dl.cards dd.muted { font-size: 13px; font-weight: 400; line-height: 1.45; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; font-size: 13px; color: var(--muted); border-bottom: 1px solid var(--rule); }
th, td { padding: 6px 14px 6px 0; vertical-align: baseline; }
th:last-child, td:last-child { padding-right: 0; }
tbody tr + tr td { border-top: 1px solid var(--rule); }
.number { text-align: right; white-space: nowrap; }
td.bar { width: 26%; min-width: 110px; vertical-align: middle; }
td.bar span { display: block; height: 12px; min-width: 2px; background: var(--other); border-radius: 2px; }
td.bar span.ours { background: var(--ours); }
figure { margin: 18px 0 26px; }
figure svg { display: block; width: 100%; max-width: 860px; height: auto; margin: 0 auto; background: #ffffff;
  border: 1px solid var(--rule); border-radius: 8px; }
figcaption { font-size: 14px; color: var(--muted); margin: 8px auto 0; max-width: 860px; }
details { margin: 10px 0; }
summary { cursor: pointer; color: var(--muted); font-size: 14px; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(300px, 1fr)); gap: 0 40px; }
dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: 4px 16px; margin: 8px 0; font-size: 14px; align-content: start; }
dl.facts dt { color: var(--muted); }
dl.facts dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 560px) {
  main { padding: 24px 16px 48px; }
  h1 { font-size: 27px; }
  ul.claims li { grid-template-columns: 1fr; gap: 4px; justify-items: start; }
}
@media print {
  :root { --paper: #ffffff; --ink: #000000; --muted: #444444; --panel: #f6f7f9; --rule: #cccccc; }
  body { font-size: 11pt; }
  main { max-width: none; padding: 0; }
  h2 { break-after: avoid; }
  figure, tr, li, dl.cards > div { break-inside: avoid; }
  .scroll { overflow: visible; }
  pre { white-space: pre-wrap; }
}
)css";
}

}  // namespace heddle::report
