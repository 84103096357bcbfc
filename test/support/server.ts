/** Addresses of the one PostgreSQL server of a test run; passed from the global setup to the workers by TARTWARE_TEST_SERVER. */
export interface TestServer {
  readonly superUrl: string;
  readonly ownerUrl: string;
  readonly appUrl: string;
  readonly workerUrl: string;
  /** The migrated database that every test database is cloned from. */
  readonly template: string;
}

export const SERVER_VARIABLE = 'TARTWARE_TEST_SERVER';

/** The run's server. @throws Error outside a jest run */
export function testServer(): TestServer {
  const text = process.env[SERVER_VARIABLE];
  if (!text)
    throw new Error(`${SERVER_VARIABLE} is not set: run through jest, whose global setup starts the server`);
  return JSON.parse(text) as TestServer;
}

/** The same address with another database. */
export function withDatabase(url: string, database: string): string {
  const parsed = new URL(url);
  parsed.pathname = `/${database}`;
  return parsed.toString();
}
