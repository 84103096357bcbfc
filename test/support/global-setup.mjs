// Jest loads its global setup outside its own transform; Node's hooks take the place of it.
import './ts-hooks.mjs';

const { startRun } = await import('./test-run.ts');

export default startRun;
