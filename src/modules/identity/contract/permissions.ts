/** Every permission that a route may ask for, and what it lets its holder do. */
export const PERMISSIONS = [
  'tenant:read',
  'tenant:write',
  'property:read',
  'property:write',
  'business-date:advance',
  'room-type:read',
  'room-type:write',
  'inventory:read',
  'inventory:write',
  'rate-plan:read',
  'rate-plan:write',
  'guest:read',
  'guest:write',
  'reservation:read',
  'reservation:quote',
  'reservation:create',
  'reservation:modify',
  'reservation:cancel',
  'reservation:check-in',
  'reservation:check-out',
  'reservation:no-show',
  'reservation:reinstate',
  'reservation:override-price',
  'reservation:import',
  'occupancy:read',
  'lifecycle:read',
  'lifecycle:resume',
  'platform:tenants',
] as const;

export type Permission = (typeof PERMISSIONS)[number];

/** Roles that a token is issued for; the token itself carries permissions, so that a role's change needs no look-up. */
export type Role = 'admin' | 'manager' | 'staff' | 'owner' | 'accountant' | 'platform';

const READ: readonly Permission[] = [
  'tenant:read',
  'property:read',
  'room-type:read',
  'inventory:read',
  'rate-plan:read',
  'reservation:read',
  'occupancy:read',
  'lifecycle:read',
];

/** The front desk: guests and their stays, at the price of the rate plan. */
const STAFF: readonly Permission[] = [
  ...READ,
  'guest:read',
  'guest:write',
  'reservation:quote',
  'reservation:create',
  'reservation:modify',
  'reservation:cancel',
  'reservation:check-in',
  'reservation:check-out',
];

/** Runs the house: day end, rooms, prices, and the exceptions to them. */
const MANAGER: readonly Permission[] = [
  ...STAFF,
  'property:write',
  'business-date:advance',
  'room-type:write',
  'inventory:write',
  'rate-plan:write',
  'reservation:no-show',
  'reservation:reinstate',
  'reservation:override-price',
  'lifecycle:resume',
];

/** Role → permissions. `platform` is for tokens of the platform's own tenant, and for nothing inside a tenant. */
export const ROLE_PERMISSIONS: Readonly<Record<Role, readonly Permission[]>> = {
  admin: [...MANAGER, 'tenant:write', 'reservation:import'],
  manager: MANAGER,
  staff: STAFF,
  owner: READ,
  accountant: [...READ, 'guest:read'],
  platform: ['platform:tenants'],
};

export const ROLES = Object.keys(ROLE_PERMISSIONS) as readonly Role[];
