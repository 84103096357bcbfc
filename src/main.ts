import { enableCompileCache } from 'node:module';

// Compiled code is kept in the system's temporary folder: a later start needn't compile a thousand modules again.
enableCompileCache();
const { runService } = await import('./entrypoints/run.js');

await runService();
