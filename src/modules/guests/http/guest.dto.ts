import { TextField } from '../../../platform/http/fields.js';
import { PageQuery } from '../../../platform/http/pagination.js';

const name = { max: 100 };
const email = {
  max: 254,
  pattern: /^[^\s@]+@[^\s@]+$/,
  code: 'EMAIL_INVALID',
  hint: 'This must be a mail address.',
  example: 'ana@example.org',
  optional: true,
  nullable: true,
};
const phone = {
  max: 40,
  pattern: /^[0-9+()./ -]*\d[0-9+()./ -]*$/,
  code: 'PHONE_INVALID',
  hint: 'This must be a telephone number.',
  example: '+351 21 000 0000',
  optional: true,
  nullable: true,
};
const address = { max: 500, multiline: true, optional: true, nullable: true };
const country = {
  max: 2,
  pattern: /^[A-Z]{2}$/,
  code: 'COUNTRY_INVALID',
  hint: 'This must be an ISO 3166-1 code of two letters.',
  example: 'PT',
  optional: true,
  nullable: true,
};

/** Body of `POST /v1/guests`. */
export class CreateGuestBody {
  @TextField({ ...name, optional: true, nullable: true, example: 'Ana' })
  firstName?: string | null;

  @TextField({ ...name, example: 'Almeida' })
  lastName!: string;

  @TextField(email)
  email?: string | null;

  @TextField(phone)
  phone?: string | null;

  @TextField(address)
  address?: string | null;

  @TextField(country)
  country?: string | null;
}

/** Body of `PATCH /v1/guests/:guestId`; null empties a field. */
export class ChangeGuestBody {
  @TextField({ ...name, optional: true, nullable: true, example: 'Ana' })
  firstName?: string | null;

  @TextField({ ...name, optional: true, example: 'Almeida' })
  lastName?: string;

  @TextField(email)
  email?: string | null;

  @TextField(phone)
  phone?: string | null;

  @TextField(address)
  address?: string | null;

  @TextField(country)
  country?: string | null;
}

/** Query of guests. */
export class GuestsQuery extends PageQuery {
  @TextField({
    max: 100,
    optional: true,
    example: 'alm',
    description: 'Beginning of a last name or a mail address.',
  })
  search?: string;
}
