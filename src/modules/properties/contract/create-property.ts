export { CreateProperty, type CreatePropertyInput } from '../commands/create-property/create-property.js';
