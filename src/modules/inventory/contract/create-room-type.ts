export { CreateRoomType, type CreateRoomTypeInput } from '../commands/create-room-type/create-room-type.js';
