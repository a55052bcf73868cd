export const VERSION = process.env.STOREFRONT_VERSION;
