import { ApiProperty } from '@nestjs/swagger';
import {
  EnumField,
  IdField,
  IntField,
  NestedField,
  TextField,
  TimeField,
} from '../../../platform/http/fields.js';
import { LIFECYCLE_STATES } from '../domain/lifecycle-state.js';

const nullable = { nullable: true } as const;

class CheckpointsDto {
  @TimeField({ description: 'RECEIVED' }) receivedAt!: string;
  @TimeField({ ...nullable, description: 'PERSISTED' }) persistedAt!: string | null;
  @TimeField({ ...nullable, description: 'PUBLISHED' }) publishedAt!: string | null;
  @TimeField({ ...nullable, description: 'CONSUMED' }) consumedAt!: string | null;
  @TimeField({ ...nullable, description: 'DLQ' }) deadAt!: string | null;
  @TimeField({ ...nullable, description: 'SKIPPED' }) skippedAt!: string | null;
  @TimeField({ ...nullable, description: 'APPLIED' }) appliedAt!: string | null;
}

class HindranceDto {
  @EnumField({ values: ['FAILED', 'PARKED', 'DLQ', 'DEAD', 'REPLAYING', 'STALLED'] }) status!: string;
  @TextField({ max: 100, example: 'RECORD_REFUSED' }) code!: string;
  @TextField({ max: 500 }) cause!: string;
  @IntField({ min: 0, max: 1_000 }) attempts!: number;
  @TimeField(nullable) nextAttemptAt!: string | null;
  @TextField({ max: 500, description: 'What an operator can do' }) remedy!: string;
}

class EventLifecycleDto {
  @IdField() eventId!: string;
  @TextField({ max: 100, example: 'reservation' }) aggregateType!: string;
  @IdField() aggregateId!: string;
  @TextField({ max: 100, example: 'reservation.created' }) type!: string;
  @IntField({ min: 1, max: 2 ** 31 - 1, description: "The aggregate's version after the event" })
  keySeq!: number;
  @IdField({ description: 'The request that caused it' }) correlationId!: string;
  @TextField({ max: 200 }) actor!: string;
  @EnumField({ values: LIFECYCLE_STATES }) state!: string;
  @TimeField() since!: string;
  @TextField({ max: 200, description: 'What happens next' }) next!: string;
  @NestedField(() => CheckpointsDto) checkpoints!: CheckpointsDto;
  @NestedField(() => HindranceDto, nullable) hindrance!: HindranceDto | null;
}

class ResumptionOutcomeDto {
  @IntField({ min: 0, max: 100_000, description: 'Events that were not settled, of all keys concerned' })
  open!: number;
  @IntField({ min: 0, max: 100_000, description: 'Whose keys were let go' }) released!: number;
  @IntField({ min: 0, max: 100_000, description: 'Published again: the log had lost them' })
  publishedAgain!: number;
  @IntField({ min: 0, max: 100_000, description: 'Dead letters sent off' }) replayed!: number;
  @IntField({ min: 0, max: 100_000, description: 'Shown to the relay again' }) woken!: number;
  @IntField({ min: 0, max: 100_000, description: 'Nothing to do but wait for the consumer' })
  waiting!: number;
}

/** A resumption, asked for or done. */
export class ResumptionDto {
  @IdField() id!: string;
  @EnumField({ values: ['REQUESTED', 'DONE'] }) state!: string;
  @TextField({ max: 500 }) reason!: string;
  @TextField({ max: 200 }) actor!: string;
  @TimeField() requestedAt!: string;
  @TimeField(nullable) doneAt!: string | null;
  @NestedField(() => ResumptionOutcomeDto, nullable) outcome!: ResumptionOutcomeDto | null;
}

/** The body of a request to resume. */
export class ResumeBody {
  @TextField({ max: 500, description: 'Why; kept for ever, so nothing about a person' }) reason!: string;
}

class WholeDto {
  @EnumField({
    values: LIFECYCLE_STATES,
    ...nullable,
    description: 'Of the least advanced event; null when all are past their retention',
  })
  state!: string | null;
  @TimeField(nullable) since!: string | null;
  @TextField({ max: 200, description: 'What happens next' }) next!: string;
  @NestedField(() => HindranceDto, { ...nullable, description: 'Why it does not go on' })
  hindrance!: HindranceDto | null;
  @ApiProperty({ type: [ResumptionDto], description: 'Newest first, ten at most' })
  resumptions!: ResumptionDto[];
}

/** Where a reservation is. */
export class ReservationLifecycleDto extends WholeDto {
  @IdField() reservationId!: string;
  @ApiProperty({ type: [EventLifecycleDto], description: 'Newest first' }) events!: EventLifecycleDto[];
}

/** Where a request is. */
export class RequestLifecycleDto extends WholeDto {
  @IdField() correlationId!: string;
  @ApiProperty({ type: [EventLifecycleDto], description: 'In the order in which they were made' })
  events!: EventLifecycleDto[];
}
