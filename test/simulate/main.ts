import { simulate } from './simulate.js';
const n = Number(process.argv[2] ?? 100);
const c0 = process.cpuUsage();
let bad = 0, steps = 0, events = 0, quiet = 0;
const codes = new Map<string, number>();
for (let seed = 1; seed <= n; seed++) {
  const o = await simulate(seed);
  steps += o.steps; events += o.events; quiet += o.quietAt;
  if (o.breach) { bad++; codes.set(o.breach, (codes.get(o.breach) ?? 0) + 1); if (bad < 8) console.log(seed, o.breach, o.text); }
}
console.log({ bad, cpuMs: (process.cpuUsage(c0).user + process.cpuUsage(c0).system) / 1000 / n, steps: steps / n, events: events / n, quiet: quiet / n }, codes);
