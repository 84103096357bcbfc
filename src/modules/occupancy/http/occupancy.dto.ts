import { ApiProperty } from '@nestjs/swagger';
import { DateField, IdField, IntField, TextField } from '../../../platform/http/fields.js';
import type { IsoDate } from '../../../platform/kernel/dates.js';

const COUNT = { min: 0, max: 100_000_000 } as const;
const MONEY = { min: -1_000_000_000_000_000, max: 1_000_000_000_000_000 } as const;

/** The range of nights, half-open. */
export class OccupancyQuery {
  @DateField({ description: 'First night' }) from!: IsoDate;
  @DateField({
    example: '2026-04-01',
    description: 'Day after the last night; at most 400 nights after from',
  })
  to!: IsoDate;
}

class OccupancyDto {
  @IntField({ ...COUNT, description: 'Confirmed, in house or left' }) bookedRooms!: number;
  @IntField({ ...MONEY, description: 'Minor units' }) bookedRevenueMinor!: number;
  @IntField({ ...COUNT, description: 'Left' }) stayedRooms!: number;
  @IntField({ ...MONEY, description: 'Minor units' }) stayedRevenueMinor!: number;
  @IntField({ ...COUNT, description: 'Rooms to sell' }) rooms!: number;
  @ApiProperty({
    type: 'number',
    nullable: true,
    description: 'Booked of all rooms; null without rooms',
    example: 81.25,
  })
  occupancyPercent!: number | null;
}

class OccupancyNightDto extends OccupancyDto {
  @DateField() night!: string;
}

/** The answer. */
export class OccupancyReportDto {
  @IdField() propertyId!: string;
  @TextField({ max: 3, example: 'EUR' }) currency!: string;
  @DateField() from!: string;
  @DateField({ example: '2026-04-01' }) to!: string;
  @ApiProperty({ type: [OccupancyNightDto] }) nights!: OccupancyNightDto[];
  @ApiProperty({ type: OccupancyDto }) totals!: OccupancyDto;
}
