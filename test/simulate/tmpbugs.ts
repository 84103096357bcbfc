import { BUGS } from './bugs.js';
import { simulate } from './simulate.js';
for (const bug of BUGS) {
  const codes = new Map<string, number>(); let first = 0; let firstText='';
  const c0 = process.cpuUsage();
  for (let s = 1; s <= 60; s++) { const o = await simulate(s, bug.options); if (o.breach) { codes.set(o.breach, (codes.get(o.breach) ?? 0) + 1); if (!bug.breaks.includes(o.breach)&&!firstText) firstText = s + ' ' + o.breach+' '+o.text.slice(0, 150); if (!first) first = s; } }
  console.log(bug.name.padEnd(28), first, [...codes].join(' '), Math.round(process.cpuUsage(c0).user/1000/60)+'ms/seed', firstText ? 'UNEXPECTED ' + firstText : '');
}
