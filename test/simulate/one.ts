import { simulate } from './simulate.js';
const o = await simulate(Number(process.argv[2]), { trace: true });
console.log(o.trace.slice(-Number(process.argv[3] ?? 40)).join('\n'));
