import type { TopicSpec } from '../event-log.js';

/** A topic as the brokers have it. */
export interface FoundTopic {
  readonly partitions: number;
  readonly replicas: number;
  /** Every setting that is in force, by Kafka's name. */
  readonly settings: ReadonlyMap<string, string>;
  /** Names of those that were set for this topic. */
  readonly own: ReadonlySet<string>;
}

/** A difference. `setting` is Kafka's name, or `partitions`, `replication.factor`. */
export interface TopicChange {
  readonly setting: string;
  readonly from: string;
  readonly to: string;
}

/** What is not as wanted and was left so. */
export interface TopicDrift extends TopicChange {
  readonly why: string;
}

/** What became of one topic; with a dry run, what would. */
export interface TopicReport {
  readonly name: string;
  readonly created: boolean;
  readonly changed: readonly TopicChange[];
  readonly drift: readonly TopicDrift[];
}

/** What to do about a topic that exists. */
export interface ChangePlan {
  readonly changes: readonly TopicChange[];
  readonly drift: readonly TopicDrift[];
  /** All settings that the topic has of its own from then on; null: they stay. */
  readonly settings: ReadonlyMap<string, string> | null;
  /** The number of partitions from then on; null: it stays. */
  readonly partitions: number | null;
}

const REPLICAS = 3;
const MIN_INSYNC = 2;

/** Copies that these brokers can keep. */
export const replicasOf = (topic: TopicSpec, brokers: number): number =>
  Math.min(topic.replicas ?? REPLICAS, brokers);

/** One copy fewer than there are at most: else a single broker's restart would stop every write. */
const minInsyncOf = (topic: TopicSpec, replicas: number): number =>
  Math.min(topic.minInsync ?? MIN_INSYNC, Math.max(1, replicas - 1));

/** The settings that a topic is to have, by Kafka's names. */
export const settingsOf = (topic: TopicSpec, brokers: number): Readonly<Record<string, string>> => ({
  'cleanup.policy': 'delete',
  'retention.ms': String(topic.retentionMs),
  'max.message.bytes': String(topic.maxMessageBytes),
  'min.insync.replicas': String(minInsyncOf(topic, replicasOf(topic, brokers))),
});

/** Why a setting is not changed by itself; null where it may be. */
function danger(setting: string, from: string, to: string, replicas: number): string | null {
  // -1: for ever.
  const size = (value: string): number => (value === '-1' ? Infinity : Number(value));
  if (setting === 'retention.ms' && size(to) < size(from)) return 'a shorter time deletes records';
  if (setting === 'max.message.bytes' && size(to) < size(from)) return 'records that wait might be refused';
  if (setting === 'min.insync.replicas' && size(to) < size(from))
    return 'fewer copies lose acknowledged records';
  if (setting === 'min.insync.replicas' && size(to) >= replicas && replicas > 1)
    return 'with as many copies as it has, one broker away stops every write';
  return null;
}

/** Decides what of the differences is changed. Pure. */
export function planChanges(
  topic: TopicSpec,
  found: FoundTopic,
  brokers: number,
  { growPartitions }: { readonly growPartitions: boolean },
): ChangePlan {
  const changes: TopicChange[] = [];
  const left: TopicDrift[] = [];
  const own = new Map([...found.own].map((name) => [name, found.settings.get(name) ?? '']));
  for (const [setting, to] of Object.entries(settingsOf(topic, brokers))) {
    const from = found.settings.get(setting) ?? '';
    if (from === to) continue;
    const why = danger(setting, from, to, found.replicas);
    if (why) left.push({ setting, from, to, why });
    else {
      changes.push({ setting, from, to });
      own.set(setting, to);
    }
  }
  const settings = changes.length > 0 ? own : null;
  const more = topic.partitions > found.partitions;
  const partitions = more && growPartitions ? topic.partitions : null;
  const step = { setting: 'partitions', from: String(found.partitions), to: String(topic.partitions) };
  if (partitions !== null) changes.push(step);
  else if (more) left.push({ ...step, why: 'keys would move, and later events overtake earlier ones' });
  else if (topic.partitions < found.partitions) left.push({ ...step, why: 'partitions never become fewer' });
  const replicas = replicasOf(topic, brokers);
  if (replicas !== found.replicas)
    left.push({
      setting: 'replication.factor',
      from: String(found.replicas),
      to: String(replicas),
      why: "this needs Kafka's own reassignment",
    });
  return { changes, drift: left, settings, partitions };
}
