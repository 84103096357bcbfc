/** Code of a property, a room type or a rate plan: 1 to 20 of A-Z, 0-9, - and _. The tables' check constraints repeat it. */
export const CODE_PATTERN = /^[A-Z0-9][A-Z0-9_-]{0,19}$/;
