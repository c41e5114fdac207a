/* SPDX-License-Identifier: MIT
 *
 * The page: asks for /status once a second and shows it. Text of the guest is only ever set as
 * text.
 */
#include "page.h"

/* clang-format off */
const char page_html[] =
"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
"<title>Remora</title><link rel=icon href='data:,'><style>"
":root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--text:#1b2430;--dim:#5d6b7c;--line:#dfe4ea;--mark:#0b6bcb}"
"@media(prefers-color-scheme:dark){:root{--bg:#12161c;--card:#1a2029;--text:#e6ebf2;--dim:#93a1b3;--line:#2b3442;--mark:#5fb0ff}}"
"*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--text);font:16px/1.5 system-ui,sans-serif}"
"main{max-width:60rem;margin:0 auto;padding:2rem 1rem}h1{margin:0;font-size:1.6rem}p{margin:.2rem 0 1.5rem;color:var(--dim)}"
".cards{display:grid;gap:1rem;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr))}"
".card{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:1rem}"
".card.wide{margin-top:1rem}h2{margin:0;font-size:.85rem;font-weight:500;color:var(--dim)}"
"output{display:block;font-size:1.6rem;font-variant-numeric:tabular-nums}small{color:var(--dim)}"
"svg{display:block;width:100%;height:9rem;margin-top:.5rem}polyline{fill:none;stroke:var(--mark);stroke-width:2;vector-effect:non-scaling-stroke}"
"pre{margin:.5rem 0 0;overflow:auto;max-height:16rem;font:13px/1.5 ui-monospace,monospace}"
"</style><main><h1>Remora</h1><p id=about>Asking the guest&hellip;</p><div class=cards>"
"<div class=card><h2>Boot</h2><output id=boot>&ndash;</output><small>from reset to the program</small></div>"
"<div class=card><h2>Instructions of the boot</h2><output id=count>&ndash;</output><small id=counted></small></div>"
"<div class=card><h2>Running for</h2><output id=up>&ndash;</output></div>"
"<div class=card><h2>Memory in use</h2><output id=used>&ndash;</output><small id=total></small></div>"
"<div class=card><h2>Threads of the server</h2><output id=threads>&ndash;</output></div></div>"
"<div class='card wide'><h2>Requests a second, the last minute: <b id=rate>0</b>, most <b id=most>0</b></h2>"
"<svg viewBox='0 0 59 100' preserveAspectRatio=none role=img aria-label='Requests a second'><polyline id=plot /></svg></div>"
"<div class='card wide'><h2>Last messages of the kernel</h2><pre id=log></pre></div></main><script>"
"const at=i=>document.getElementById(i),rates=Array(60).fill(0);let before=null;"
"const how={live:'counted by the CPU',before:'counted in a boot of the same files before this one; this machine has no counter',no:'this machine has no counter'};"
"const mib=k=>(k/1024).toFixed(1)+' MiB',set=(i,t)=>{at(i).textContent=t};"
"async function look(){try{const s=await(await fetch('/status',{cache:'no-store'})).json();"
"set('about',s.system);set('boot',s.boot_ms.toFixed(0)+' ms');"
"set('count',s.boot_instructions?s.boot_instructions.toLocaleString('en'):'\u2013');set('counted',how[s.boot_counted]);set('up',s.uptime_s.toFixed(0)+' s');"
"set('used',mib(s.memory_total_kib-s.memory_free_kib));set('total','of '+mib(s.memory_total_kib));set('threads',s.threads);"
"if(before&&s.uptime_s>before.uptime_s){rates.shift();rates.push((s.requests-before.requests)/(s.uptime_s-before.uptime_s))}before=s;"
"const most=Math.max(1,...rates);set('rate',rates[59].toFixed(1));set('most',Math.max(...rates).toFixed(1));"
"at('plot').setAttribute('points',rates.map((r,i)=>i+','+(98-94*r/most)).join(' '));"
"set('log',s.log.length?s.log.join('\\n'):'None can be read here.')}"
"catch(e){set('about','The guest does not answer.')}setTimeout(look,1000)}look()</script></html>";
