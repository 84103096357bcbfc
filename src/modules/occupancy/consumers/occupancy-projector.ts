import { Inject, Injectable } from '@nestjs/common';
import type { BackgroundTx } from '../../../platform/database/unit-of-work.js';
import { type Projector, Projectors } from '../../consumer/contract/projector.js';
import type { EventEnvelope } from '../../outbox/contract/events.js';
import { occupancyDeltas } from '../domain/occupancy-deltas.js';
import { ADD_DELTAS } from '../persistence/occupancy-statements.js';

/** Keeps `occupancy_nights`: rooms and revenue, booked and stayed, by property and night. */
@Injectable()
export class OccupancyProjector implements Projector {
  readonly name = 'occupancy';

  constructor(@Inject(Projectors) projectors: Projectors) {
    projectors.register(this);
  }

  async apply(tx: BackgroundTx, events: readonly EventEnvelope[]): Promise<void> {
    const deltas = occupancyDeltas(events);
    if (deltas.length === 0) return;
    await tx.query(ADD_DELTAS, [
      deltas.map(({ tenantId }) => tenantId),
      deltas.map(({ propertyId }) => propertyId),
      deltas.map(({ night }) => night),
      deltas.map(({ bookedRooms }) => bookedRooms),
      deltas.map(({ bookedRevenueMinor }) => bookedRevenueMinor),
      deltas.map(({ stayedRooms }) => stayedRooms),
      deltas.map(({ stayedRevenueMinor }) => stayedRevenueMinor),
    ]);
  }
}
