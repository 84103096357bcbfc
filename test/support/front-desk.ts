import type { HttpAnswer, HttpClient, HttpRequest, Json } from './http-client.js';

/** A house made over HTTP, and what is asked of it at its desk. */
export interface FrontDesk {
  readonly client: HttpClient;
  readonly propertyId: string;
  readonly roomTypeId: string;
  readonly ratePlanId: string;
  readonly guestId: string;
  /** The n-th day after the first business date. */
  day(n: number): string;
  /** The body of a stay of `nights` nights from day `from`, for two; `fields` over it. */
  stay(from: number, nights: number, fields?: Json): Json;
  /** Creates; @throws Error unless it is taken (201) */
  book(from: number, nights: number, fields?: Json): Promise<Json>;
  /** A command on a reservation: `confirm`, `cancel`, … */
  command(id: string, name: string, body?: Json, request?: Omit<HttpRequest, 'body'>): Promise<HttpAnswer>;
  read(id: string): Promise<Json>;
  /** Free rooms of the type in the nights `[from, to)`, by night. */
  free(from: number, to: number): Promise<number[]>;
  /** Moves the business date to the next day. */
  endDay(): Promise<void>;
}

export const PRICE_MINOR = 10_000;
const FIRST_DAY = '2027-03-01';

const dayAfter = (n: number): string =>
  new Date(Date.parse(FIRST_DAY) + n * 86_400_000).toISOString().slice(0, 10);

/** Property, one room type of `rooms` rooms for three, BAR at 100.00 a night, and a guest. */
export async function openHouse(client: HttpClient, code: string, rooms = 5): Promise<FrontDesk> {
  const ids = await furnish(client, code, rooms);
  const stay = (from: number, nights: number, fields: Json = {}): Json => ({
    ...ids,
    arrival: dayAfter(from),
    departure: dayAfter(from + nights),
    adults: 2,
    ...fields,
  });
  const desk: FrontDesk = {
    client,
    ...ids,
    day: dayAfter,
    stay,
    book: (from, nights, fields) =>
      client.data(201, client.post('/v1/reservations', stay(from, nights, fields))),
    command: (id, name, body, request) => client.post(`/v1/reservations/${id}/${name}`, body, request),
    read: (id) => client.data(200, client.get(`/v1/reservations/${id}`)),
    async free(from, to) {
      const range = `from=${dayAfter(from)}&to=${dayAfter(to)}`;
      const types = await client.data(
        200,
        client.get(`/v1/properties/${ids.propertyId}/availability?${range}`),
      );
      return types[0].nights.map((night: Json) => night.available);
    },
    async endDay() {
      await client.data(200, client.post(`/v1/properties/${ids.propertyId}/business-date/advance`, {}));
    },
  };
  return desk;
}

/** The body of a day use in the demo house, of which there is always room for another: it takes no night. */
export async function demoDayUse(client: HttpClient): Promise<Record<string, unknown>> {
  const first = async (path: string): Promise<Json> => (await client.get(path)).body.data[0];
  const property = await first('/v1/properties');
  return {
    propertyId: property.id,
    roomTypeId: (await first(`/v1/properties/${property.id}/room-types`)).id,
    ratePlanId: (await first(`/v1/properties/${property.id}/rate-plans`)).id,
    guestId: (await first('/v1/guests')).id,
    arrival: property.businessDate,
    departure: property.businessDate,
    dayUse: true,
    adults: 1,
  };
}

async function furnish(client: HttpClient, code: string, rooms: number) {
  const house = {
    code,
    name: `House ${code}`,
    timeZone: 'Europe/Lisbon',
    currency: 'EUR',
    businessDate: FIRST_DAY,
  };
  const { id: propertyId } = await client.data(201, client.post('/v1/properties', house));
  const at = `/v1/properties/${propertyId}`;
  const type = { code: 'DBL', name: 'Double', baseOccupancy: 2, maxOccupancy: 3, rooms };
  const { id: roomTypeId } = await client.data(201, client.post(`${at}/room-types`, type));
  const plans = await client.data(200, client.get(`${at}/rate-plans`));
  const bar = plans.find((plan: Json) => plan.code === 'BAR');
  const price = { roomTypeId, from: FIRST_DAY, amountMinor: PRICE_MINOR };
  await client.data(200, client.put(`${at}/rate-plans/${bar.id}/prices`, price, { ifMatch: bar.version }));
  const { id: guestId } = await client.data(201, client.post('/v1/guests', { lastName: `Guest-${code}` }));
  return { propertyId, roomTypeId, ratePlanId: bar.id as string, guestId } as Record<
    'propertyId' | 'roomTypeId' | 'ratePlanId' | 'guestId',
    string
  >;
}
