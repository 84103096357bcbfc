import { Inject, Injectable } from '@nestjs/common';
import { makeContext } from '../../../platform/context/op-context.js';
import type { StoredAnswer } from '../../../platform/database/idempotency.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import type { IsoDate } from '../../../platform/kernel/dates.js';
import { DomainError } from '../../../platform/kernel/errors.js';
import { PLATFORM_TENANT_ID, type TenantId } from '../../../platform/kernel/ids.js';
import { CreateGuest } from '../../guests/contract/create-guest.js';
import { CreateRoomType } from '../../inventory/contract/create-room-type.js';
import { CreateProperty } from '../../properties/contract/create-property.js';
import { SetPrices } from '../../rate-plans/contract/set-prices.js';
import { CreateTenant } from '../../tenants/contract/create-tenant.js';
import { tenantByCode } from '../../tenants/contract/tenant-by-code.js';
import { DEMO_HOUSE } from '../persistence/demo-house.js';

/** The demo tenant's code, and its property's. */
export const DEMO = { tenant: 'demo', property: 'DEMO' } as const;

const ROOM_TYPES = [
  { code: 'STD', name: 'Standard', baseOccupancy: 2, maxOccupancy: 3, rooms: 20, bar: 12_000, rack: 15_000 },
  { code: 'DLX', name: 'Deluxe', baseOccupancy: 2, maxOccupancy: 4, rooms: 5, bar: 18_000, rack: 22_500 },
] as const;

/** More than there are steps that another process can be ahead in. */
const ATTEMPTS = 10;

/** What there is of the demo house; null: nothing yet. */
interface Found {
  readonly propertyId: string;
  readonly businessDate: IsoDate;
  readonly roomTypes: Readonly<Record<string, string>>;
  readonly plans: Readonly<Record<string, string>>;
  readonly priced: readonly string[];
  readonly guests: number;
}

const idOf = ({ body }: StoredAnswer): string => (JSON.parse(body) as { data: { id: string } }).data.id;

/** A tenant with one property that takes bookings at once. Each step only if it is missing: safe to run again, or to go on. */
@Injectable()
export class SeedDemo {
  constructor(
    @Inject(UnitOfWork) private readonly uow: UnitOfWork,
    @Inject(CreateTenant) private readonly createTenant: CreateTenant,
    @Inject(CreateProperty) private readonly createProperty: CreateProperty,
    @Inject(CreateRoomType) private readonly createRoomType: CreateRoomType,
    @Inject(SetPrices) private readonly setPrices: SetPrices,
    @Inject(CreateGuest) private readonly createGuest: CreateGuest,
  ) {}

  /** @returns the tenant and its property */
  async execute(): Promise<{ readonly tenantId: TenantId; readonly propertyId: string }> {
    for (let tries = 1; ; tries++)
      try {
        return await this.addWhatIsMissing();
      } catch (error) {
        // Another process seeds at the same time, say the service and a command on a new home: look again.
        const overtaken = error instanceof DomainError && error.category === 'CONFLICT';
        if (!overtaken || tries === ATTEMPTS) throw error;
      }
  }

  private async addWhatIsMissing(): Promise<{ readonly tenantId: TenantId; readonly propertyId: string }> {
    const tenantId = await this.tenant();
    const ctx = () => makeContext({ tenantId, subject: 'system:seed', permissions: ['*'], source: 'system' });
    let found = await this.find(tenantId);
    if (!found) {
      const input = { code: DEMO.property, name: 'Demo Hotel', timeZone: 'Europe/Lisbon', currency: 'EUR' };
      await this.createProperty.execute(ctx(), input, null);
      found = (await this.find(tenantId))!;
    }
    const { propertyId, businessDate, plans } = found;
    for (const { bar, rack, ...roomType } of ROOM_TYPES) {
      const roomTypeId =
        found.roomTypes[roomType.code] ??
        idOf(await this.createRoomType.execute(ctx(), { propertyId, ...roomType }, null));
      for (const [code, amountMinor] of [
        ['BAR', bar],
        ['RACK', rack],
      ] as const) {
        const ratePlanId = plans[code]!;
        if (found.priced.includes(`${ratePlanId} ${roomTypeId}`)) continue;
        const price = {
          propertyId,
          ratePlanId,
          ifVersion: null,
          roomTypeId,
          from: businessDate,
          amountMinor,
        };
        await this.setPrices.execute(ctx(), price, null);
      }
    }
    if (found.guests === 0)
      await this.createGuest.execute(ctx(), { firstName: 'Ada', lastName: 'Example' }, null);
    return { tenantId, propertyId };
  }

  private async tenant(): Promise<TenantId> {
    try {
      return (await tenantByCode(this.uow, DEMO.tenant)).tenantId;
    } catch (error) {
      if (!(error instanceof DomainError) || error.category !== 'NOT_FOUND') throw error;
    }
    const platform = makeContext({
      tenantId: PLATFORM_TENANT_ID,
      subject: 'system:seed',
      permissions: ['platform:tenants'],
      source: 'system',
    });
    return idOf(
      await this.createTenant.execute(platform, { code: DEMO.tenant, name: 'Demo' }, null),
    ) as TenantId;
  }

  private async find(tenantId: TenantId): Promise<Found | null> {
    const [row] = await this.uow.run({ tenantId }, 'demo.find', (tx) =>
      tx.query<Found>(DEMO_HOUSE, [tenantId, DEMO.property]),
    );
    return row ?? null;
  }
}
