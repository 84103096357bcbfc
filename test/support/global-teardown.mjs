// The same process as the global setup's, so the same instance of the module.
import './ts-hooks.mjs';

const { endRun } = await import('./test-run.ts');

export default endRun;
