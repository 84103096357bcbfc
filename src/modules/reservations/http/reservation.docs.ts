import { ApiProperty } from '@nestjs/swagger';
import {
  BoolField,
  DateField,
  EnumField,
  IdField,
  IntField,
  MoneyField,
  TextField,
  TimeField,
} from '../../../platform/http/fields.js';
import { ApiAnswer, ApiList, ApiPage } from '../../../platform/http/openapi.js';
import { STATUSES } from '../domain/moves.js';

const nullable = { nullable: true } as const;

class NightDto {
  @DateField() night!: string;
  @MoneyField() amountMinor!: number;
}

class PartyDto {
  @IntField({ min: 0, max: 99 }) adults!: number;
  @IntField({ min: 0, max: 99 }) children!: number;
  @IntField({ min: 0, max: 99 }) babies!: number;
}

class PriceDto {
  @TextField({ max: 3, example: 'EUR' }) currency!: string;
  @MoneyField() totalMinor!: number;
  @ApiProperty({ type: [NightDto] }) nights!: NightDto[];
  @TextField({ max: 500, ...nullable }) overrideReason!: string | null;
}

class ReservationDto {
  @IdField() id!: string;
  @TextField({ max: 8, example: 'ACFQ589D' }) confirmationNumber!: string;
  @EnumField({ values: STATUSES }) status!: string;
  @IdField() propertyId!: string;
  @IdField() roomTypeId!: string;
  @IdField() ratePlanId!: string;
  @IdField() guestId!: string;
  @DateField() arrival!: string;
  @DateField({ example: '2026-03-04' }) departure!: string;
  @BoolField() dayUse!: boolean;
  @ApiProperty({ type: PartyDto }) party!: PartyDto;
  @ApiProperty({ type: PriceDto }) price!: PriceDto;
  @TimeField(nullable) holdExpiresAt!: string | null;
  @TextField({ max: 500, ...nullable }) cancelReason!: string | null;
  @TextField({ max: 20, ...nullable }) roomNumber!: string | null;
  @EnumField({ values: ['http', 'cli', 'import', 'system'] }) origin!: string;
  @TextField({ max: 100, ...nullable }) externalId!: string | null;
  @IntField({ min: 1, max: 2 ** 31 - 1 }) version!: number;
  @TimeField() createdAt!: string;
  @TimeField() updatedAt!: string;
  @IdField({ optional: true, description: 'The request; in answers to commands' }) correlationId?: string;
}

class QuoteNightDto extends NightDto {
  @IntField({ min: 0, max: 100_000, description: 'Rooms still free' }) available!: number;
}

class QuoteDto {
  @TextField({ max: 3, example: 'EUR' }) currency!: string;
  @MoneyField() totalMinor!: number;
  @BoolField() available!: boolean;
  @DateField(nullable) firstNightLacking!: string | null;
  @ApiProperty({ type: [QuoteNightDto] }) nights!: QuoteNightDto[];
}

class MoveDto {
  @TextField({ max: 20, example: 'check-in' }) command!: string;
  @EnumField({ values: STATUSES }) from!: string;
  @EnumField({ values: STATUSES }) to!: string;
}

/** The documentation of an answer that is one reservation. */
export const ApiReservation = (status: 200 | 201): MethodDecorator => ApiAnswer(status, ReservationDto);
export const ApiReservations = (): MethodDecorator => ApiPage(ReservationDto);
export const ApiQuote = (): MethodDecorator => ApiAnswer(200, QuoteDto);
export const ApiMoves = (): MethodDecorator => ApiList(MoveDto);
