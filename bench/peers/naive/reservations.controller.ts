import { BadRequestException, Body, Controller, Headers, Inject, Post, Req, UseGuards } from '@nestjs/common';
import { CreateReservationDto } from './create-reservation.dto.js';
import { JwtGuard, type AuthenticatedRequest } from './jwt.guard.js';
import { ReservationsService } from './reservations.service.js';

@Controller('v1/reservations')
@UseGuards(JwtGuard)
export class ReservationsController {
  constructor(@Inject(ReservationsService) private readonly reservations: ReservationsService) {}

  @Post()
  create(
    @Req() request: AuthenticatedRequest,
    @Headers('idempotency-key') key: string | undefined,
    @Body() body: CreateReservationDto,
  ): Promise<object> {
    if (!key || key.length > 200) throw new BadRequestException('Idempotency-Key');
    return this.reservations.create(request.user, request.ip, key, body);
  }
}
