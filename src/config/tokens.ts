/** The whole `AppConfig`; what needs only a part of it takes the part. */
export const APP_CONFIG = Symbol('APP_CONFIG');
