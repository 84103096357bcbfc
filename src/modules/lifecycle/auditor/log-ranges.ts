import { type EventLog, LogUnavailableError } from '../../../platform/event-log/event-log.js';
import type { LogRanges } from '../domain/resume-act.js';

/** What the log holds, or null while it doesn't answer: then nothing can be said of what it lost. */
export async function rangesOf(log: EventLog, topic: string): Promise<LogRanges> {
  try {
    return await log.ranges(topic);
  } catch (error) {
    if (error instanceof LogUnavailableError) return null;
    throw error;
  }
}
