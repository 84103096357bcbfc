import { Body, Controller, Inject, Patch, Post, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { OpContext } from '../../../platform/context/op-context.js';
import type { Claim } from '../../../platform/database/idempotency.js';
import { Access } from '../../../platform/http/access.js';
import { sendAnswer } from '../../../platform/http/answer.js';
import { Ctx, IdempotencyKey, IfMatch, OptionalIfMatch, PathId } from '../../../platform/http/request.js';
import { newId } from '../../../platform/kernel/ids.js';
import { ReservationDesk } from '../contract/reservation-desk.js';
import type { ReservationCommand } from '../domain/commands.js';
import type { MoveCommand } from '../domain/moves.js';
import { NoBody } from './no-body.pipe.js';
import { ApiReservation } from './reservation.docs.js';
import {
  CancelBody,
  CheckInBody,
  CreateReservationBody,
  DepartureBody,
  HoldBody,
  ModifyBody,
  overrideOf,
} from './reservation.dto.js';

const creation = (body: CreateReservationBody, holdSeconds: number | null): ReservationCommand => ({
  kind: 'create',
  reservationId: newId(),
  propertyId: body.propertyId,
  roomTypeId: body.roomTypeId,
  ratePlanId: body.ratePlanId,
  guestId: body.guestId,
  arrival: body.arrival,
  departure: body.departure,
  dayUse: body.dayUse,
  adults: body.adults,
  children: body.children,
  babies: body.babies,
  holdSeconds,
  override: overrideOf(body.priceOverride),
  externalId: body.externalId ?? null,
});

/** The doors of the commands; what they do stands in `domain/decide.ts`. */
@ApiTags('Reservations')
@Controller('v1/reservations')
export class ReservationCommandsController {
  constructor(@Inject(ReservationDesk) private readonly desk: ReservationDesk) {}

  @Post()
  @Access('reservation:create')
  @ApiOperation({ summary: 'Create a confirmed reservation' })
  @ApiReservation(201)
  create(
    @Ctx() ctx: OpContext,
    @IdempotencyKey() claim: Claim,
    @Body() body: CreateReservationBody,
    @Res() reply: FastifyReply,
  ) {
    return this.submit(reply, ctx, claim, creation(body, null));
  }

  @Post('hold')
  @Access('reservation:create')
  @ApiOperation({ summary: 'Hold nights for a while; confirm before holdExpiresAt' })
  @ApiReservation(201)
  hold(
    @Ctx() ctx: OpContext,
    @IdempotencyKey() claim: Claim,
    @Body() body: HoldBody,
    @Res() reply: FastifyReply,
  ) {
    return this.submit(reply, ctx, claim, creation(body, body.holdSeconds));
  }

  @Patch(':id')
  @Access('reservation:modify')
  @ApiOperation({
    summary: 'Change dates, room type, party or rate plan; nights that stay keep their agreed price',
  })
  @ApiReservation(200)
  modify(
    @Ctx() ctx: OpContext,
    @IdempotencyKey() claim: Claim,
    @PathId('id') reservationId: string,
    @IfMatch() ifVersion: number,
    @Body() body: ModifyBody,
    @Res() reply: FastifyReply,
  ) {
    const { priceOverride, ...changed } = body;
    const override = overrideOf(priceOverride);
    return this.submit(reply, ctx, claim, { kind: 'modify', reservationId, ifVersion, ...changed, override });
  }

  @Post(':id/departure')
  @Access('reservation:modify')
  @ApiOperation({ summary: 'Extend or shorten a stay in house' })
  @ApiReservation(200)
  changeDeparture(
    @Ctx() ctx: OpContext,
    @IdempotencyKey() claim: Claim,
    @PathId('id') reservationId: string,
    @IfMatch() ifVersion: number,
    @Body() { departure }: DepartureBody,
    @Res() reply: FastifyReply,
  ) {
    return this.submit(reply, ctx, claim, { kind: 'change-departure', reservationId, ifVersion, departure });
  }

  @Post(':id/confirm')
  @Access('reservation:create')
  @ApiOperation({ summary: 'Confirm a hold' })
  @ApiReservation(200)
  confirm(
    @Ctx() ctx: OpContext,
    @IdempotencyKey() claim: Claim,
    @PathId('id') id: string,
    @OptionalIfMatch() ifVersion: number | null,
    @Body(NoBody) _body: undefined,
    @Res() reply: FastifyReply,
  ) {
    return this.move(reply, ctx, claim, 'confirm', id, ifVersion);
  }

  @Post(':id/cancel')
  @Access('reservation:cancel')
  @ApiOperation({ summary: 'Cancel, with a reason' })
  @ApiReservation(200)
  cancel(
    @Ctx() ctx: OpContext,
    @IdempotencyKey() claim: Claim,
    @PathId('id') id: string,
    @OptionalIfMatch() ifVersion: number | null,
    @Body() { reason }: CancelBody,
    @Res() reply: FastifyReply,
  ) {
    return this.move(reply, ctx, claim, 'cancel', id, ifVersion, { reason });
  }

  @Post(':id/check-in')
  @Access('reservation:check-in')
  @ApiOperation({ summary: 'Check in, with the room number where it is known' })
  @ApiReservation(200)
  checkIn(
    @Ctx() ctx: OpContext,
    @IdempotencyKey() claim: Claim,
    @PathId('id') id: string,
    @OptionalIfMatch() ifVersion: number | null,
    @Body() { roomNumber }: CheckInBody,
    @Res() reply: FastifyReply,
  ) {
    return this.move(reply, ctx, claim, 'check-in', id, ifVersion, { roomNumber: roomNumber ?? null });
  }

  @Post(':id/check-out')
  @Access('reservation:check-out')
  @ApiOperation({ summary: 'Check out, on the day of departure or later' })
  @ApiReservation(200)
  checkOut(
    @Ctx() ctx: OpContext,
    @IdempotencyKey() claim: Claim,
    @PathId('id') id: string,
    @OptionalIfMatch() ifVersion: number | null,
    @Body(NoBody) _body: undefined,
    @Res() reply: FastifyReply,
  ) {
    return this.move(reply, ctx, claim, 'check-out', id, ifVersion);
  }

  @Post(':id/no-show')
  @Access('reservation:no-show')
  @ApiOperation({ summary: 'Declare a no-show, on the day of arrival or later; its nights are given back' })
  @ApiReservation(200)
  noShow(
    @Ctx() ctx: OpContext,
    @IdempotencyKey() claim: Claim,
    @PathId('id') id: string,
    @OptionalIfMatch() ifVersion: number | null,
    @Body(NoBody) _body: undefined,
    @Res() reply: FastifyReply,
  ) {
    return this.move(reply, ctx, claim, 'no-show', id, ifVersion);
  }

  @Post(':id/reinstate')
  @Access('reservation:reinstate')
  @ApiOperation({ summary: 'Take a cancelled or no-show reservation up again, if its nights are still free' })
  @ApiReservation(200)
  reinstate(
    @Ctx() ctx: OpContext,
    @IdempotencyKey() claim: Claim,
    @PathId('id') id: string,
    @OptionalIfMatch() ifVersion: number | null,
    @Body(NoBody) _body: undefined,
    @Res() reply: FastifyReply,
  ) {
    return this.move(reply, ctx, claim, 'reinstate', id, ifVersion);
  }

  private move(
    reply: FastifyReply,
    ctx: OpContext,
    claim: Claim,
    kind: MoveCommand,
    reservationId: string,
    ifVersion: number | null,
    more: { reason?: string; roomNumber?: string | null } = {},
  ): Promise<void> {
    return this.submit(reply, ctx, claim, { kind, reservationId, ifVersion, ...more });
  }

  private async submit(
    reply: FastifyReply,
    ctx: OpContext,
    claim: Claim,
    command: ReservationCommand,
  ): Promise<void> {
    sendAnswer(reply, await this.desk.submit({ ctx, claim, command }));
  }
}
