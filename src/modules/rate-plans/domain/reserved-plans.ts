/** The plans that every property has from its first day: the best available rate of a night, and the rack rate. */
export const RESERVED_PLANS = [
  { code: 'BAR', name: 'Best available rate' },
  { code: 'RACK', name: 'Rack rate' },
] as const;

/** Whether bookings rely on a plan of this code: it can be neither renamed nor deactivated. */
export const isReserved = (code: string): boolean => RESERVED_PLANS.some((plan) => plan.code === code);
