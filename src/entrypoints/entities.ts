import { GuestEntity } from '../modules/guests/persistence/guest.entity.js';
import { RoomTypeEntity } from '../modules/inventory/persistence/room-type.entity.js';
import { PropertyEntity } from '../modules/properties/persistence/property.entity.js';
import { RatePlanEntity } from '../modules/rate-plans/persistence/rate-plan.entity.js';
import { TenantEntity } from '../modules/tenants/persistence/tenant.entity.js';

/** Every row class that TypeORM maps. */
export const ENTITIES = [GuestEntity, RoomTypeEntity, PropertyEntity, RatePlanEntity, TenantEntity];
