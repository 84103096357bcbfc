import { type EventLog, LogUnavailableError } from '../../../platform/event-log/event-log.js';
import type { LogEnds } from '../domain/resume-act.js';

/** Where the log ends, or null while it doesn't answer: then nothing can be said of what it lost. */
export async function endsOf(log: EventLog, topic: string): Promise<LogEnds> {
  try {
    return await log.endOffsets(topic);
  } catch (error) {
    if (error instanceof LogUnavailableError) return null;
    throw error;
  }
}
