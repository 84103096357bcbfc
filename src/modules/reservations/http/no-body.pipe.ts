import type { PipeTransform } from '@nestjs/common';
import { DomainError, type FieldError } from '../../../platform/kernel/errors.js';

/** For commands that take nothing: a field that would be ignored is refused like any unknown one. */
export class NoBody implements PipeTransform {
  /** @throws DomainError UNKNOWN_FIELD (400) */
  transform(body: unknown): undefined {
    const fields =
      typeof body === 'object' && body !== null ? Object.keys(body) : body === undefined ? [] : [''];
    if (fields.length === 0) return undefined;
    const details: FieldError[] = fields.slice(0, 50).map((path) => ({
      path: path.slice(0, 100),
      code: 'UNKNOWN_FIELD',
      message: 'There is no such field.',
    }));
    throw new DomainError('UNKNOWN_FIELD', 'VALIDATION', 'This command takes no body.', details);
  }
}
