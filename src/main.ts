import * as module from 'node:module';

// Compiled code is kept in the system's temporary folder: a later start needn't compile a thousand modules again. A Node
// older than the pinned one may lack it.
(module as Partial<typeof module>).enableCompileCache?.();
const { runService } = await import('./entrypoints/run.js');

await runService();
