/** Types of broker.mjs, for tests. */
export const KAFKA_HOME: string;

export class BrokerError extends Error {}

export interface Broker {
  readonly pid: number;
  readonly port: number;
  readonly brokers: string;
  readonly exited: Promise<number | null>;
  stop(): Promise<void>;
  kill(): Promise<void>;
}

export function prepare(options?: { home?: string; report?: (line: string) => void }): string;

export function startBroker(options: {
  dir: string;
  port: number;
  controllerPort?: number;
  overrides?: Record<string, string>;
  jars?: string;
}): Promise<Broker>;
