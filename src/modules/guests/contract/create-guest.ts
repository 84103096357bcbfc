export { CreateGuest, type CreateGuestInput } from '../commands/create-guest/create-guest.js';
