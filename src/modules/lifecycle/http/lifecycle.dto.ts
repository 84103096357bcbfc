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
  @TimeField({ ...nullable, description: 'APPLIED' }) appliedAt!: string | null;
}

class HindranceDto {
  @EnumField({ values: ['FAILED', 'PARKED', 'DLQ', 'DEAD'] }) status!: string;
  @TextField({ max: 100, example: 'RECORD_REFUSED' }) code!: string;
  @TextField({ max: 500 }) cause!: string;
  @IntField({ min: 0, max: 1_000 }) attempts!: number;
  @TimeField(nullable) nextAttemptAt!: string | null;
}

class EventLifecycleDto {
  @IdField() eventId!: string;
  @TextField({ max: 100, example: 'reservation.created' }) type!: string;
  @IntField({ min: 1, max: 2 ** 31 - 1, description: "The reservation's version after the event" })
  keySeq!: number;
  @IdField({ description: 'The request that caused it' }) correlationId!: string;
  @TextField({ max: 200 }) actor!: string;
  @EnumField({ values: LIFECYCLE_STATES }) state!: string;
  @TimeField() since!: string;
  @TextField({ max: 200, description: 'What happens next' }) next!: string;
  @NestedField(() => CheckpointsDto) checkpoints!: CheckpointsDto;
  @NestedField(() => HindranceDto, nullable) hindrance!: HindranceDto | null;
}

/** The answer. */
export class ReservationLifecycleDto {
  @IdField() reservationId!: string;
  @EnumField({
    values: LIFECYCLE_STATES,
    ...nullable,
    description: 'Of the first event not applied, or of the last one',
  })
  state!: string | null;
  @TimeField(nullable) since!: string | null;
  @TextField({ max: 200, description: 'What happens next' }) next!: string;
  @ApiProperty({ type: [EventLifecycleDto], description: 'Newest first' }) events!: EventLifecycleDto[];
}
