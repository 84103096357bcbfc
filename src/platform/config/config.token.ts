/** Injection token of the one `AppConfig`, an interface, which the container can't name by itself. */
export const APP_CONFIG = Symbol('AppConfig');
