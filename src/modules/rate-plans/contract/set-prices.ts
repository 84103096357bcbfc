export { SetPrices, type SetPricesInput } from '../commands/set-prices/set-prices.js';
