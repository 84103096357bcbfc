/** Where an adapter reports what nobody awaits. Nest's Logger and `console` fit as they are. */
export interface LogSink {
  warn(message: string): void;
  error(message: string): void;
}

/** For callers that want no reports. */
export const SILENT_SINK: LogSink = { warn: () => undefined, error: () => undefined };

/** An error's own words, without its stack; for status lines and reports. */
export const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message || error.name : String(error);
