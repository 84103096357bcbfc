import { IdField, TextField, TimeField, VersionField } from '../../../platform/http/fields.js';
import type { GuestEntity } from '../persistence/guest.entity.js';

/** What a command answers: who, and which version. */
export class GuestRefView {
  @IdField()
  id!: string;

  @VersionField()
  version!: number;
}

/** A guest as it is answered to those who may read guests. */
export class GuestView extends GuestRefView {
  @TextField({ max: 100, nullable: true, example: 'Ana' })
  firstName!: string | null;

  @TextField({ max: 100, example: 'Almeida' })
  lastName!: string;

  @TextField({ max: 254, nullable: true, example: 'ana@example.org' })
  email!: string | null;

  @TextField({ max: 40, nullable: true, example: '+351 21 000 0000' })
  phone!: string | null;

  @TextField({ max: 500, nullable: true, example: 'Rua do Ouro 1\n1100-061 Lisboa' })
  address!: string | null;

  @TextField({ max: 2, nullable: true, example: 'PT' })
  country!: string | null;

  @TimeField()
  createdAt!: string;

  @TimeField()
  updatedAt!: string;
}

export const guestView = (row: GuestEntity): GuestView => ({
  id: row.guestId,
  version: row.version,
  firstName: row.firstName,
  lastName: row.lastName,
  email: row.email,
  phone: row.phone,
  address: row.address,
  country: row.country,
  createdAt: row.createdAt.toISOString(),
  updatedAt: row.updatedAt.toISOString(),
});
