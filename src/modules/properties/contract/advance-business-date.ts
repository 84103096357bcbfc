export {
  AdvanceBusinessDate,
  type AdvanceBusinessDateInput,
} from '../commands/advance-business-date/advance-business-date.js';
