import { ownerDataSource } from './src/platform/database/migrate.js';

/** For TypeORM's command line (`typeorm migration:show -d dist/ormconfig.js`); `tartware migrate` is the ordinary way. */
export default ownerDataSource(process.env['DATABASE_OWNER_URL'] ?? '');
