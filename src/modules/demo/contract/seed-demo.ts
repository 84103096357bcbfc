export { SeedDemo } from '../commands/seed-demo.js';
