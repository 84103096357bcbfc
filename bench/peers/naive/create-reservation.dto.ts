import { IsInt, IsOptional, IsString, IsUUID, Matches, Max, MaxLength, Min } from 'class-validator';

const DATE = /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/;

export class CreateReservationDto {
  @IsUUID()
  propertyId!: string;

  @IsUUID()
  roomTypeId!: string;

  @IsUUID()
  ratePlanId!: string;

  @IsUUID()
  guestId!: string;

  @Matches(DATE)
  arrival!: string;

  @Matches(DATE)
  departure!: string;

  @IsInt()
  @Min(0)
  @Max(99)
  adults!: number;

  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(99)
  children: number = 0;

  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(99)
  babies: number = 0;

  @IsOptional()
  @IsString()
  @MaxLength(100)
  externalId?: string;
}
