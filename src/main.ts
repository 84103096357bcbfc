import { runService } from './entrypoints/run.js';

await runService();
