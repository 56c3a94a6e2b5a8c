import { darkTheme, lightTheme, themeVariables } from '../theme.ts';

/** The page's style: one column on a phone, two on a desk, light or dark as the reader's system is. */
export const style = `
:root{color-scheme:light dark;${themeVariables(lightTheme)};--panel:#f6f8fa}
@media (prefers-color-scheme:dark){:root{${themeVariables(darkTheme)};--panel:#161b22}}
*{box-sizing:border-box}
body{margin:0;background:var(--surface);color:var(--ink);font:16px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
main{max-width:1120px;margin:0 auto;padding:16px}
h1{font-size:26px;line-height:1.25;margin:8px 0}
h2{font-size:20px;margin:40px 0 12px;padding-top:12px;border-top:1px solid var(--rule)}
h3{font-size:16px;margin:20px 0 8px}
p{margin:8px 0;max-width:75ch}
.note,.sub,figcaption{color:var(--muted)}
.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(130px,1fr));gap:8px;margin:16px 0;padding:0}
.tiles div{background:var(--panel);border-radius:8px;padding:10px 12px}
.tiles dt{color:var(--muted);font-size:13px}
.tiles dd{margin:0;font-size:21px;font-variant-numeric:tabular-nums}
.facts{display:grid;grid-template-columns:minmax(110px,max-content) 1fr;gap:4px 16px;margin:12px 0}
.facts dt{color:var(--muted)}
.facts dd{margin:0}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,460px),1fr));gap:16px}
figure{margin:16px 0;min-width:0}
.cards figure{margin:0}
figure.wide,.pair figure{max-width:760px}
svg{display:block;width:100%;height:auto}
.table{overflow-x:auto;max-width:100%}
table{border-collapse:collapse;font-size:14px;font-variant-numeric:tabular-nums;overflow-wrap:normal}
th,td{padding:4px 10px;text-align:right;border-bottom:1px solid var(--rule);white-space:nowrap}
th{color:var(--muted);font-weight:500}
th.name,td.name{text-align:left;white-space:normal;overflow-wrap:anywhere;min-width:9em}
details{margin:12px 0}
summary{cursor:pointer}
pre{background:var(--panel);border-radius:8px;padding:12px;font-size:13px;white-space:pre-wrap}
code{font-size:.92em}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(170px,1fr));gap:16px 12px;margin-top:12px}
.cards .seen{position:relative;background:var(--panel);border-radius:6px;overflow:hidden;aspect-ratio:var(--shape)}
.cards img{position:absolute;inset:0;width:100%;height:100%}
.cards img.small{image-rendering:pixelated}
.cards figcaption{font-size:13px;line-height:1.4;margin-top:6px;color:var(--ink)}
.cards figcaption span{color:var(--muted)}
#looked:not(:checked)~.cards .heat{display:none}
@media print{main{max-width:none}figure{break-inside:avoid}}
`;
