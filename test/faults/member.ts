import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import type { Env, Installation, Service } from '../support/service.js';
import type { FaultProxy } from './proxy.js';

/** A process of the stage. */
export type Kind = 'api' | 'worker';

const SKEW = pathToFileURL(join(import.meta.dirname, 'clock-skew.mjs')).href;

/** One API or worker: started again, as a supervisor would, whenever it ended. */
export class Member {
  private service: Service | null = null;
  private starting: Promise<void> | null = null;
  private wanted = false;
  private offsetMs = 0;
  /** The one that it got at its first start, for good: clients find it again after a restart. */
  private port = '0';
  /** Ends that nobody had asked for. */
  readonly crashes: string[] = [];

  /**
   * @param database the proxy of its way to PostgreSQL
   * @param broker the same to Kafka; null with the log in PostgreSQL
   */
  constructor(
    readonly name: string,
    readonly kind: Kind,
    private readonly inst: Installation,
    private readonly env: Env,
    readonly database: FaultProxy,
    readonly broker: FaultProxy | null,
  ) {}

  get up(): boolean {
    return this.service !== null;
  }

  /** @throws Error while it is down */
  get pid(): number {
    if (!this.service) throw new Error(`${this.name} is down`);
    return this.service.pid;
  }

  /** @throws Error while it is down */
  get url(): string {
    if (!this.service) throw new Error(`${this.name} is down`);
    return this.service.url;
  }

  /** Its clock is off, ms. */
  get skewMs(): number {
    return this.offsetMs;
  }

  /** Starts it, and again when it could not start (its database is away), until it is ready. */
  start(offsetMs = 0): Promise<void> {
    this.wanted = true;
    this.offsetMs = offsetMs;
    this.starting ??= this.bringUp().finally(() => (this.starting = null));
    return this.starting;
  }

  /** Ends it at once, and starts it again in the background unless told otherwise. */
  async kill(restart = true): Promise<void> {
    this.wanted = false;
    const { service } = this;
    this.service = null;
    await service?.stop('SIGKILL');
    if (restart) void this.start();
  }

  /** Ends it in order and leaves it down. */
  async retire(): Promise<void> {
    this.wanted = false;
    const { service } = this;
    this.service = null;
    await service?.stop('SIGTERM');
  }

  /** @throws Error while it is down */
  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    process.kill(this.pid, name);
  }

  /** Its last words, for a report. */
  get said(): string {
    return (this.service?.stderr ?? '') + (this.service?.stdout ?? '');
  }

  private async bringUp(): Promise<void> {
    const skew = {
      NODE_OPTIONS: `--import=${SKEW}`,
      FAULTS_CLOCK_OFFSET_MS: String(this.offsetMs),
    };
    while (this.wanted) {
      try {
        const service = await this.inst.start({
          ...this.env,
          PORT: this.port,
          ...(this.offsetMs !== 0 && skew),
        });
        this.port = new URL(service.url).port;
        if (!this.wanted) return void (await service.stop('SIGKILL'));
        this.service = service;
        void service.ended.then(({ code, stderr, stdout }) => this.ended(service, code, stdout + stderr));
        return;
      } catch (error) {
        // Exit code 5 while its database is away is right; whatever else shows in the crashes.
        if (!/unavailable|can't be reached|ECONN|terminated|starting up|shutting down/i.test(String(error)))
          this.crashes.push(`${this.name} did not start: ${String(error).slice(-500)}`);
      }
    }
  }

  private ended(service: Service, code: number, said: string): void {
    if (this.service !== service) return;
    this.service = null;
    this.crashes.push(`${this.name} ended by itself with ${code}: ${said.slice(-500)}`);
    if (this.wanted) void this.start();
  }
}
